import { jwtVerify, SignJWT } from 'jose'
import { principalByKey, userByEmail, userByPassword } from './users.js'

const issuer = 'farebox-example'

/** Sessions as signed tokens: who signed in carries one, and no server has to remember it. */
export function createSessions(secret) {
  const key = new TextEncoder().encode(secret)
  return {
    /** A token for a user who has the password, or `undefined`. */
    async signIn({ email, password } = {}) {
      const user = userByPassword(email, password)
      if (user === undefined) return undefined
      return new SignJWT()
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer(issuer)
        .setSubject(user.email)
        .setIssuedAt()
        .setExpirationTime('8h')
        .sign(key)
    },

    /**
     * Who sends these headers, as a principal: a user who signed in, or a program with an API key, which some clients send
     * as `x-api-key`. `undefined` when nobody knows them.
     */
    async whoSends(headers) {
      const token = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? headers['x-api-key']
      if (token === undefined) return undefined
      const principal = principalByKey(token)
      if (principal !== undefined) return principal
      try {
        const { payload } = await jwtVerify(token, key, { issuer, algorithms: ['HS256'] })
        return userByEmail(payload.sub)?.principal
      } catch {
        return undefined
      }
    },
  }
}
