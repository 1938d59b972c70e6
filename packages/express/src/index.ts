import type { Gateway } from '@farebox/core'
import { serve } from '@farebox/core/node'
import type { RequestHandler } from 'express'

/**
 * Mounts a gateway in Express 5 or 4: `app.use('/ai', middleware(gateway))`. Paths that are not the gateway's go on to the
 * host, and so do faults of the gateway itself, as `next(error)`.
 *
 * Mount it before body parsers: bodies then stay bytes. Behind `express.json()` it works as well, within that parser's
 * limit.
 */
export function middleware(gateway: Gateway): RequestHandler {
  return function farebox(req, res, next) {
    // Not awaited: Express 4 does not look at promises.
    serve(gateway, req, res, { url: req.url, parsedBody: req.body, host: req }).then((isServed) => {
      if (!isServed) next()
    }, next)
  }
}
