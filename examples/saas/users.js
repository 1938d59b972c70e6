// The users of the product, and what each of them may bill. In your app this is your own database.
import { createHash, timingSafeEqual } from 'node:crypto'
import { demoKeys } from '@farebox/example-quickstart/demo.js'

/** `principal` is what Farebox has to know of a user: the account that pays, and the person inside it. */
const users = [
  { email: 'ada@team.example', password: 'demo-ada', principal: { accountId: 'demo-team', memberId: 'ada' } },
  { email: 'bob@team.example', password: 'demo-bob', principal: { accountId: 'demo-team', memberId: 'bob' } },
  { email: 'paul@example.com', password: 'demo-paul', principal: { accountId: 'demo-pro' } },
]

/** The demo's sign-ins, to print. */
export const demoSignIns = users.map(({ email, password }) => ({ email, password }))

/** The user who signs in, or `undefined`. Keep hashes made for passwords instead, such as argon2: these are made up. */
export function userByPassword(email, password) {
  const user = users.find((candidate) => candidate.email === email)
  return user !== undefined && isSame(user.password, String(password)) ? user : undefined
}

export function userByEmail(email) {
  return users.find((candidate) => candidate.email === email)
}

/** Who pays for an API key of the product. */
export function principalByKey(key) {
  return demoKeys[key]
}

function isSame(a, b) {
  return timingSafeEqual(digest(a), digest(b))
}

function digest(text) {
  return createHash('sha256').update(text).digest()
}
