import type { Session } from './objects.ts'

/** The page a customer of the simulated Stripe sees. */
export function paymentPage(session: Session): string {
  const amount = `${(session.amount_subtotal / 100).toFixed(2)} ${session.currency.toUpperCase()}`
  const cancel =
    session.cancel_url === null ? '' : `<p><a href="${escapeHtml(session.cancel_url)}">Cancel</a></p>`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Simulated payment</title>
<h1>SIMULATED payment of ${escapeHtml(amount)}</h1>
<p>This page stands in for Stripe Checkout. No card is charged and no money moves.</p>
<form method="post"><button>Pay ${escapeHtml(amount)}</button></form>
${cancel}
</html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
