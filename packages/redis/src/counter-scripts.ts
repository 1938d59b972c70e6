import { type Script, script } from './scripts.ts'

/**
 * Takes from all counters of a request, or from none. Counters that nobody holds are numbers; the others are sorted sets of
 * holders by the time at which their share is forgotten, each share being 1.
 *
 * KEYS: counters. ARGV: now, then for each: holder or '', amount, least, limit, until. Gives whether it was taken, then for
 * each what was there before and what was taken.
 */
export const takeCounts: Script = script(`
local now = tonumber(ARGV[1])
local answer = {1}
for index, key in ipairs(KEYS) do
  local at = index * 5 - 3
  local before
  if ARGV[at] == '' then before = tonumber(redis.call('GET', key) or '0')
  else before = redis.call('ZCOUNT', key, '(' .. ARGV[1], '+inf') end
  local room = tonumber(ARGV[at + 3]) - before
  if room < tonumber(ARGV[at + 2]) then answer[1] = 0 end
  answer[index * 2] = before
  answer[index * 2 + 1] = math.min(tonumber(ARGV[at + 1]), room)
end
for index, key in ipairs(KEYS) do
  local at = index * 5 - 3
  if answer[1] == 0 then
    answer[index * 2 + 1] = 0
  else
    -- A while longer than it counts, for processes whose clocks are behind.
    local ttl = math.max(1, math.ceil(tonumber(ARGV[at + 4]) - now)) + 10000
    if ARGV[at] == '' then
      redis.call('INCRBY', key, string.format('%.0f', answer[index * 2 + 1]))
    else
      redis.call('ZREMRANGEBYSCORE', key, '-inf', ARGV[1])
      redis.call('ZADD', key, ARGV[at + 4], ARGV[at])
      ttl = math.max(ttl, redis.call('PTTL', key))
    end
    redis.call('PEXPIRE', key, string.format('%.0f', ttl))
  end
end
return answer`)

/** KEYS: counters. ARGV: for each: holder or '', amount. */
export const giveBackCounts: Script = script(`
for index, key in ipairs(KEYS) do
  local holder = ARGV[index * 2 - 1]
  if holder ~= '' then
    redis.call('ZREM', key, holder)
  else
    local value = redis.call('GET', key)
    if value then
      local left = math.max(0, tonumber(value) - tonumber(ARGV[index * 2]))
      redis.call('SET', key, string.format('%.0f', left), 'KEEPTTL')
    end
  end
end
return 1`)
