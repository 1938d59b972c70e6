import { GatewayError } from '../errors.ts'
import { type GatewayRequest, header } from './exchange.ts'
import { type JsonBody, readBytes, type UploadedFile } from './request-body.ts'

/**
 * Reads a body of `multipart/form-data`: its texts by name, those of a name that comes several times in an array, and the file
 * in the field `file`.
 *
 * @throws GatewayError `unsupported_encoding` for a body of another type, `invalid_request` for one that cannot be read or has no
 * such file, and what reading the bytes throws.
 */
export async function readFormBody(request: GatewayRequest, bytesMax: number): Promise<JsonBody> {
  const contentType = header(request, 'content-type') ?? ''
  if (!/^multipart\/form-data\s*;/i.test(contentType)) {
    throw new GatewayError(
      'unsupported_encoding',
      'Send multipart/form-data, with the file in the field "file".',
    )
  }
  const form = await parse(await readBytes(request.body, bytesMax), contentType)
  const fields = new Map<string, string | readonly string[]>()
  let file: UploadedFile | undefined
  for (const [name, value] of form) {
    if (typeof value === 'string') {
      const before = fields.get(name)
      fields.set(name, before === undefined ? value : [before, value].flat())
    } else if (name === 'file') {
      const bytes = Buffer.from(await value.arrayBuffer())
      file = { name: plainName(value.name), contentType: value.type, bytes }
    }
  }
  if (file === undefined || file.bytes.length === 0) {
    throw new GatewayError('invalid_request', 'There is no file in the field "file", or an empty one.', {
      param: 'file',
    })
  }
  const value = Object.fromEntries(fields)
  return { value, source: undefined, byteLength: Buffer.byteLength(JSON.stringify(value)), file }
}

/** The platform's own parser: what a browser would read. */
async function parse(bytes: Buffer, contentType: string): Promise<FormData> {
  try {
    return await new Response(bytes, { headers: { 'content-type': contentType } }).formData()
  } catch (cause) {
    throw new GatewayError('invalid_request', 'The form in the request body cannot be read.', { cause })
  }
}

/** A form with one file, for a provider, and the type that tells its boundary. */
export function encodeForm(
  fields: Readonly<Record<string, unknown>>,
  file: UploadedFile,
  boundary: string,
): { readonly contentType: string; readonly body: Buffer } {
  const parts: (string | Buffer)[] = []
  for (const [name, value] of Object.entries(fields)) {
    for (const text of [value].flat()) {
      parts.push(
        `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"\r\n\r\n${String(text)}\r\n`,
      )
    }
  }
  const type = /^[\w.+/-]+$/.test(file.contentType) ? file.contentType : 'application/octet-stream'
  parts.push(
    `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${quoted(file.name)}"\r\nContent-Type: ${type}\r\n\r\n`,
    file.bytes,
    `\r\n--${boundary}--\r\n`,
  )
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))),
  }
}

/** As browsers write names (WHATWG HTML, multipart form data, 2026-10). */
function quoted(name: string): string {
  return name.replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(/"/g, '%22')
}

/** A name decides the format at some providers, so its ending stays; a path of the caller's machine is nobody's business. */
function plainName(name: string): string {
  return name.split(/[\\/]/).at(-1)?.slice(-200) || 'file'
}
