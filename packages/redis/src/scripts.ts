import { createHash } from 'node:crypto'

/** A script of the server, known to it by its hash once it has run there. */
export interface Script {
  readonly text: string
  readonly sha: string
}

export function script(...parts: readonly string[]): Script {
  const text = parts.join('\n')
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/**
 * Moves nothing, but only where writing is allowed: a replica, and a primary that has lost its replicas where it must not,
 * refuse it. So nothing is decided on what a server says that is no longer in charge.
 */
const onlyInCharge = `redis.call('PERSIST', KEYS[1])`

const time = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)`

/**
 * Turns: who wants to write an account that others write too stands in line, so that nobody loses every race. A turn has
 * an end, because its holder may be gone; what is written outside of a turn is still right, compared like everything.
 */
const turns = `
local function turnOf()
  local found = redis.call('HMGET', KEYS[1], 'turn', 'queue')
  local holder, ends = string.match(found[1] or '', '^(%S+) (%d+)$')
  return holder, tonumber(ends or 0), found[2] or ''
end
local function giveTurn(token, ends, queue)
  redis.call('HSET', KEYS[1], 'turn', token .. ' ' .. string.format('%.0f', ends), 'queue', queue)
end
local function passTurn(token, now, turnMs)
  local holder, _, queue = turnOf()
  if holder ~= token then return end
  local first, rest = string.match(queue, '^(%S+) (.*)$')
  if first then giveTurn(first, now + turnMs, rest) else redis.call('HDEL', KEYS[1], 'turn', 'queue') end
end
local function takeTurn(token, now, turnMs)
  local holder, ends, queue = turnOf()
  if holder and ends < now then holder = nil end
  if holder == token then return 0 end
  if not holder then
    local first, rest = string.match(queue, '^(%S+) (.*)$')
    if not first or first == token then
      giveTurn(token, now + turnMs, rest or '')
      return 0
    end
    giveTurn(first, now + turnMs, rest)
    queue = rest
  end
  local before = string.find(' ' .. queue, ' ' .. token .. ' ', 1, true)
  if not before and #queue < 4096 then
    queue = queue .. token .. ' '
    redis.call('HSET', KEYS[1], 'queue', queue)
    before = #queue
  end
  local _, ahead = string.gsub(string.sub(queue, 1, before or #queue), ' ', '')
  return ahead + 1
end`

/** Lists of arguments in pieces: Lua can not hand over thousands at once. */
const pieces = `
local function each(command, key, from, count)
  for first = from, from + count - 1, 1000 do
    redis.call(command, key, unpack(ARGV, first, math.min(first + 999, from + count - 1)))
  end
end
local function fieldsOf(key, names)
  local found = {}
  for first = 1, #names, 1000 do
    local part = redis.call('HMGET', key, unpack(names, first, math.min(first + 999, #names)))
    for index, value in ipairs(part) do found[first + index - 1] = value end
  end
  return found
end`

/**
 * KEYS: account, due, keep, journal.
 * ARGV: due by, how many due records, whether time is the server's, the field of the mark that is known, token or '',
 * length of a turn in ms, fields of records.
 */
export const readAccount: Script = script(
  onlyInCharge,
  time,
  turns,
  pieces,
  `
local account = redis.call('HMGET', KEYS[1], 'version', 'seq', 'head', 'epoch', 'writes', 'mark', 'frozen', ARGV[4])
if ARGV[5] ~= '' and account[1] and not account[7] then
  local ahead = takeTurn(ARGV[5], now, tonumber(ARGV[6]))
  if ahead > 0 then return {time[1], time[2], ahead} end
end
local names = {}
for index = 7, #ARGV do names[index - 6] = ARGV[index] end
local dueBy = tonumber(ARGV[1])
if ARGV[3] == '1' and now > dueBy then dueBy = now end
local last = string.format('%.17g', dueBy)
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', last, 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local next = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. last, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
local dueNames = {}
for index = 1, #due, 2 do dueNames[#dueNames + 1] = 'r' .. due[index] end
return {time[1], time[2], 0, account, fieldsOf(KEYS[1], names), due, fieldsOf(KEYS[1], dueNames), next[2] or 'inf'}`,
)

/**
 * Compare-and-set of one account, all or nothing: everything that may be refused is looked at before the first change. That
 * one is of the kind that a server refuses whose memory is full; once a script has changed something, it may go on.
 *
 * KEYS: account, due, keep, journal.
 * ARGV: version, mark, now, tolerance in ms, whether time is the server's, how many expired records to delete, token or '',
 * length of a turn in ms, the new mark, whether this puts back a lost write, then six counts: fields that must be absent,
 * names and values to set, times and keys due, keys no longer due, times and keys to keep, keys kept for ever; then
 * the parts in this order; then an id, a text and a hash for each entry.
 */
export const writeAccount: Script = script(
  time,
  turns,
  pieces,
  `
local counts = {}
for index = 1, 6 do counts[index] = tonumber(ARGV[10 + index]) end
local from = 17
local together = math.min(counts[1], 1000)
local account = redis.call('HMGET', KEYS[1], 'version', 'mark', 'frozen', 'frozenMark', unpack(ARGV, from, from + together - 1))
local isReplay = ARGV[10] == '1'
if account[3] and not isReplay then return {time[1], time[2], 'frozen'} end
if (account[1] or '0') ~= ARGV[1] or (account[2] or '') ~= ARGV[2] then return {time[1], time[2], 'lost'} end
if ARGV[5] == '1' and math.abs(now - tonumber(ARGV[3])) > tonumber(ARGV[4]) then return {time[1], time[2], 'lost'} end
for index = 5, 4 + together do
  if account[index] then return {time[1], time[2], 'lost'} end
end
for first = from + together, from + counts[1] - 1, 1000 do
  local found = redis.call('HMGET', KEYS[1], unpack(ARGV, first, math.min(first + 999, from + counts[1] - 1)))
  for _, value in ipairs(found) do
    if value then return {time[1], time[2], 'lost'} end
  end
end
local fields = from + counts[1]
local due = fields + counts[2]
local undue = due + counts[3]
local keep = undue + counts[4]
local kept = keep + counts[5]
local entries = kept + counts[6]
-- A key of another kind would stop the script half-way: better now. Not those that are not touched.
local isNew = not account[1]
local purgeMax = tonumber(ARGV[6])
if isNew or undue > due or keep > undue or purgeMax > 0 then redis.call('ZCARD', KEYS[2]) end
if isNew or entries > keep or purgeMax > 0 then redis.call('ZCARD', KEYS[3]) end
if isNew or #ARGV >= entries then redis.call('XLEN', KEYS[4]) end
each('HSET', KEYS[1], fields, counts[2])
if isNew then
  -- Keys that are always there: while a slot moves between nodes, a key that is missing can not be told from one that has moved.
  redis.call('ZADD', KEYS[2], '+inf', '\\0')
  redis.call('ZADD', KEYS[3], '+inf', '\\0')
  if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('XADD', KEYS[4], '0-1', 'first', '1') end
end
each('ZADD', KEYS[2], due, counts[3])
each('ZREM', KEYS[2], undue, counts[4])
each('ZADD', KEYS[3], keep, counts[5])
each('ZREM', KEYS[3], kept, counts[6])
for index = entries, #ARGV, 3 do
  redis.call('XADD', KEYS[4], ARGV[index], 't', ARGV[index + 1], 'h', ARGV[index + 2])
end
if purgeMax > 0 then
  local old = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[3], 'LIMIT', 0, ARGV[6])
  for _, key in ipairs(old) do
    redis.call('HDEL', KEYS[1], 'r' .. key)
    redis.call('ZREM', KEYS[2], key)
    redis.call('ZREM', KEYS[3], key)
  end
end
if account[4] == ARGV[9] then redis.call('HDEL', KEYS[1], 'frozen', 'frozenMark', 'frozenWrites') end
if ARGV[7] ~= '' then passTurn(ARGV[7], now, tonumber(ARGV[8])) end
return {time[1], time[2], 'written'}`,
)

/** KEYS: account. ARGV: token, length of a turn in ms. */
export const leaveTurn: Script = script(time, turns, 'passTurn(ARGV[1], now, tonumber(ARGV[2]))')

/**
 * Stops an account whose state is older than somebody knows, until it is at the newest mark that is known.
 *
 * KEYS: account. ARGV: the mark that was found, the newest known mark, its count of writes, reason.
 */
export const freezeAccount: Script = script(
  onlyInCharge,
  `
if (redis.call('HGET', KEYS[1], 'mark') or '') ~= ARGV[1] then return 0 end
local known = redis.call('HGET', KEYS[1], 'frozenWrites')
if known and tonumber(known) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'frozen', ARGV[4], 'frozenMark', ARGV[2], 'frozenWrites', ARGV[3])
redis.call('HDEL', KEYS[1], 'turn', 'queue')
return 1`,
)

/**
 * Goes on from what is there. KEYS: account. ARGV: the mark that was found, the new epoch, count of writes, mark, and the
 * field and value of that mark.
 */
export const acceptAccount: Script = script(
  onlyInCharge,
  `
if (redis.call('HGET', KEYS[1], 'mark') or '') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'frozen', 'frozenMark', 'frozenWrites', 'turn', 'queue')
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'writes', ARGV[3], 'mark', ARGV[4], ARGV[5], ARGV[6])
return 1`,
)

/** KEYS: journal. ARGV: first id, how many. */
export const readJournal: Script = script(
  onlyInCharge,
  `return redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])`,
)

/** KEYS: journal. ARGV: the first id that stays. */
export const trimJournal: Script = script(
  onlyInCharge,
  `return redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1])`,
)

/** KEYS: due. */
export const readFirstDue: Script = script(
  onlyInCharge,
  `
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if not first[2] or first[2] == 'inf' then return false end
return first[2]`,
)

/** KEYS: account. */
export const accountExists: Script = script(onlyInCharge, `return redis.call('HEXISTS', KEYS[1], 'version')`)

/** KEYS: accounts, waiting, noted. ARGV: account, whether it has something waiting. */
export const noteAccount: Script = script(
  time,
  `
redis.call('ZADD', KEYS[1], 0, ARGV[1])
if ARGV[2] == '1' then
  redis.call('ZADD', KEYS[2], 0, ARGV[1])
  redis.call('ZADD', KEYS[3], now, ARGV[1])
end`,
)

/** KEYS: waiting, noted. ARGV: account, how long ago it must have been noted, in ms. */
export const forgetWaiting: Script = script(
  time,
  `
local noted = redis.call('ZSCORE', KEYS[2], ARGV[1])
if noted and tonumber(noted) > now - tonumber(ARGV[2]) then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1`,
)

/** KEYS: a sorted set of the index. ARGV: lower and upper bound, how many. */
export const readIndex: Script = script(
  onlyInCharge,
  `return redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])`,
)

/** KEYS: documents. ARGV: names. Gives a version and a text for each, joined by a space. */
export const readDocuments: Script = script(onlyInCharge, `return redis.call('HMGET', KEYS[1], unpack(ARGV))`)

/** KEYS: documents, document keys. ARGV: name, expected version or '', new version or '' to delete, text. */
export const writeDocument: Script = script(
  `
local found = redis.call('HGET', KEYS[1], ARGV[1])
local version = found and string.match(found, '^(%d+) ') or ''
if version ~= ARGV[2] then return 0 end
redis.call('ZCARD', KEYS[2])
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. ' ' .. ARGV[4])
  redis.call('ZADD', KEYS[2], 0, ARGV[1])
end
return 1`,
)
