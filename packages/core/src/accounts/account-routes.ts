import { GatewayError } from '../errors.ts'
import type { Route } from '../http/routes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { cappedKeyOf, type Spender } from '../ledger/spender.ts'
import { queryUsage } from '../statements/usage-query.ts'
import { readParameters, readUsageRequest, readWhole } from '../statements/usage-request.ts'
import { showBalance, showReceipt } from './account-views.ts'
import { answerHubUsage } from './hub-usage.ts'
import { showInvoice, showInvoices, showUsage } from './statement-views.ts'

export type AccountRoute = Extract<
  Route,
  { kind: 'credits' | 'receipt' | 'usage' | 'hub-usage' | 'invoices' | 'invoice' }
>

/** Who asks for something of an account, and how. */
export interface AccountRequest {
  readonly accountId: string
  readonly spender: Spender
  readonly query: string | undefined
  readonly nowMs: number
}

const invoicesDefault = 12
const invoicesMax = 100

/** Answers what an account may read of its own money, as JSON. */
export async function answerAccountRoute(
  ledger: Ledger,
  route: AccountRoute,
  { accountId, spender, query, nowMs }: AccountRequest,
): Promise<string> {
  const { statements } = ledger
  switch (route.kind) {
    case 'credits':
      return showCredits(ledger, accountId, spender)
    case 'receipt': {
      const receipt = await ledger.receipt(accountId, route.requestId)
      if (receipt !== undefined) return showReceipt(receipt)
      throw new GatewayError('receipt_not_found', `There is no receipt for the request '${route.requestId}'.`)
    }
    case 'usage':
      return showUsage(await queryUsage(statements, readUsageRequest(accountId, query, nowMs)))
    case 'hub-usage':
      return answerHubUsage(ledger, { accountId, query })
    case 'invoices':
      return listInvoices(ledger, accountId, query)
    case 'invoice': {
      readParameters(query, [])
      const invoice = await statements.invoice(accountId, route.periodKey)
      if (invoice !== undefined) return showInvoice(invoice)
      throw new GatewayError('invoice_not_found', `There is no invoice for the period '${route.periodKey}'.`)
    }
  }
}

/** What the account has, and of that whoever asks. */
async function showCredits(ledger: Ledger, accountId: string, spender: Spender): Promise<string> {
  const { memberId } = spender
  const key = cappedKeyOf(spender)
  const [balance, member, keys] = await Promise.all([
    ledger.balance(accountId),
    memberId === undefined ? undefined : ledger.memberBalance({ accountId, memberId }),
    key === undefined ? undefined : ledger.keyBalances(accountId, [key]),
  ])
  return showBalance(balance, member, keys?.[0])
}

async function listInvoices(
  { statements }: Ledger,
  accountId: string,
  query: string | undefined,
): Promise<string> {
  const values = readParameters(query, ['before', 'limit'])
  const limit = readWhole(values.get('limit') ?? String(invoicesDefault), 'limit')
  if (limit < 1 || limit > invoicesMax) {
    throw new GatewayError('invalid_request', `limit must be from 1 to ${invoicesMax}.`, { param: 'limit' })
  }
  const before = values.get('before')
  // One more than is shown tells whether there are more.
  const request = { accountId, limit: limit + 1, ...(before === undefined ? {} : { before }) }
  const invoices = await statements.invoices(request)
  return showInvoices(invoices.slice(0, limit), invoices.length > limit)
}
