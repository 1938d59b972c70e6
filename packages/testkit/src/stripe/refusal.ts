/** An error of Stripe's API, in the shape it is answered in. */
export class Refusal extends Error {
  override readonly name: string = 'Refusal'
  readonly status: number
  readonly type: string
  readonly code: string | undefined
  readonly param: string | undefined

  constructor(
    status: number,
    message: string,
    details: { readonly type?: string; readonly code?: string; readonly param?: string } = {},
  ) {
    super(message)
    this.status = status
    this.type = details.type ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
    this.code = details.code
    this.param = details.param
  }
}

export function refusalBody({ type, message, code, param }: Refusal): object {
  const optional = { ...(code === undefined ? {} : { code }), ...(param === undefined ? {} : { param }) }
  return { error: { type, message, ...optional } }
}

export function missing(kind: string, id: string): Refusal {
  return new Refusal(404, `No such ${kind}: '${id}'`, { code: 'resource_missing', param: 'id' })
}

export function wrong(param: string, message: string, code = 'parameter_invalid_empty'): Refusal {
  return new Refusal(400, message, { code, param })
}
