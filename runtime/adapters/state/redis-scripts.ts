import { createHash } from 'node:crypto';

/**
 * The Lua programs of the Redis state store: each is one atomic step on one task. All keys of a task share a hash tag, so they lie in
 * one slot of a Redis Cluster, and all keys that a program touches are declared.
 *
 * - meta: hash with epoch, nonce, position ('' for none), sequence, and snapshots (ids of those that run, with commas)
 * - values: hash of key → bytes; keys: sorted set of the same keys, all with score 0, so in byte order
 * - of a running snapshot: images (hash of key → 'v' + bytes, or 'x' when the key was absent; the field '' marks it as running)
 *   and the sorted set of its keys
 */
export interface RedisScript {
  readonly lua: string;
  readonly sha: string;
}

const script = (lua: string): RedisScript => ({ lua, sha: createHash('sha1').update(lua).digest('hex') });

/** KEYS meta; ARGV nonce. Raises the epoch. Answers epoch, position, sequence. */
export const openScript = script(`
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSETNX', KEYS[1], 'position', '')
redis.call('HSETNX', KEYS[1], 'sequence', '0')
redis.call('HSET', KEYS[1], 'nonce', ARGV[1], 'snapshots', '')
return {tostring(epoch), redis.call('HGET', KEYS[1], 'position'), redis.call('HGET', KEYS[1], 'sequence')}`);

/** KEYS meta, values, keys. Forgets all but the epoch, which it raises. */
export const resetScript = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('UNLINK', KEYS[2], KEYS[3])
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HINCRBY', KEYS[1], 'sequence', 1)
redis.call('HSET', KEYS[1], 'nonce', '', 'position', '', 'snapshots', '')
return 1`);

const refuseStrangers = `
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'nonce', 'position', 'sequence', 'snapshots')
if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] then
  return {'FENCED', meta[1] or '', meta[3] or ''}
end`;

const refuseOtherPositions = `${refuseStrangers}
if meta[3] ~= ARGV[3] or meta[4] ~= ARGV[4] then
  return {'MOVED ON', meta[1], meta[3] or '', meta[4] or ''}
end`;

/**
 * KEYS meta, values, keys, then images and their keys of each running snapshot; ARGV epoch, nonce, expected position, expected
 * sequence, new position, ids of the running snapshots, number of deletes, the deleted keys, then key and value by turns.
 * Answers OK; or FENCED (another owner) or MOVED ON (another position or sequence) with what is there; or SNAPSHOTS with their ids, when others run than the caller thought: nothing is written
 * then, and the caller comes again with their keys.
 */
export const commitScript = script(`${refuseOtherPositions}
if meta[5] ~= ARGV[6] then return {'SNAPSHOTS', meta[5] or ''} end
local first = 8 + tonumber(ARGV[7])
local function keep(images, sorted, key)
  if redis.call('HEXISTS', images, key) == 1 then return end
  local before = redis.call('HGET', KEYS[2], key)
  redis.call('HSET', images, key, before and 'v' .. before or 'x')
  redis.call('ZADD', sorted, 0, key)
end
for at = 4, #KEYS, 2 do
  if redis.call('HEXISTS', KEYS[at], '') == 1 then
    for i = 8, first - 1 do keep(KEYS[at], KEYS[at + 1], ARGV[i]) end
    for i = first, #ARGV, 2 do keep(KEYS[at], KEYS[at + 1], ARGV[i]) end
  end
end
for i = 8, first - 1, 500 do
  local last = math.min(i + 499, first - 1)
  redis.call('HDEL', KEYS[2], unpack(ARGV, i, last))
  redis.call('ZREM', KEYS[3], unpack(ARGV, i, last))
end
for i = first, #ARGV, 200 do
  local last = math.min(i + 199, #ARGV)
  if redis.call('HSET', KEYS[2], unpack(ARGV, i, last)) > 0 then
    local members = {}
    for j = i, last, 2 do
      members[#members + 1] = 0
      members[#members + 1] = ARGV[j]
    end
    redis.call('ZADD', KEYS[3], unpack(members))
  end
end
redis.call('HSET', KEYS[1], 'position', ARGV[5], 'sequence', string.format('%.0f', tonumber(ARGV[4]) + 1))
return {'OK'}`);

/** KEYS values, keys; ARGV ZRANGEBYLEX or ZREVRANGEBYLEX, its first and second bound, limit. Answers key and value by turns. */
export const rangeScript = script(`
local keys = redis.call(ARGV[1], KEYS[2], ARGV[2], ARGV[3], 'LIMIT', 0, ARGV[4])
local answer = {}
for i = 1, #keys, 1000 do
  local last = math.min(i + 999, #keys)
  local values = redis.call('HMGET', KEYS[1], unpack(keys, i, last))
  for j = i, last do
    answer[#answer + 1] = keys[j]
    answer[#answer + 1] = values[j - i + 1]
  end
end
return answer`);

/** KEYS meta, images, their keys; ARGV epoch, nonce, ids of all running snapshots with the new one, milliseconds to live. */
export const beginSnapshotScript = script(`${refuseStrangers}
redis.call('HSET', KEYS[1], 'snapshots', ARGV[3])
redis.call('HSET', KEYS[2], '', '1')
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {'OK', meta[3]}`);

/**
 * KEYS meta, values, keys, images, their keys; ARGV epoch, nonce, lower bound, entries at most, bytes at most, milliseconds to live.
 * Answers OK, whether the live page reaches the end, it (key and value by turns), and the same of the images.
 */
export const snapshotPageScript = script(`${refuseStrangers}
if redis.call('HEXISTS', KEYS[4], '') == 0 then return {'EXPIRED'} end
redis.call('PEXPIRE', KEYS[4], ARGV[6])
redis.call('PEXPIRE', KEYS[5], ARGV[6])
local function page(values, sorted)
  local keys = redis.call('ZRANGEBYLEX', sorted, ARGV[3], '+', 'LIMIT', 0, ARGV[4])
  local atEnd = #keys < tonumber(ARGV[4]) and 1 or 0
  local answer, bytes = {}, 0
  for at, key in ipairs(keys) do
    local value = redis.call('HGET', values, key)
    answer[#answer + 1] = key
    answer[#answer + 1] = value
    bytes = bytes + #value
    if bytes > tonumber(ARGV[5]) and at < #keys then
      atEnd = 0
      break
    end
  end
  return atEnd, answer
end
local liveEnd, live = page(KEYS[2], KEYS[3])
local imagesEnd, images = page(KEYS[4], KEYS[5])
return {'OK', liveEnd, live, imagesEnd, images}`);

/** KEYS meta, images, their keys; ARGV epoch, nonce, ids of the snapshots that go on. */
export const endSnapshotScript = script(`
redis.call('UNLINK', KEYS[2], KEYS[3])
${refuseStrangers}
redis.call('HSET', KEYS[1], 'snapshots', ARGV[3])
return {'OK'}`);

/** KEYS meta, new values, new keys; ARGV epoch, nonce, milliseconds to live, 'first' or 'more', then key and value by turns. */
export const restorePageScript = script(`${refuseStrangers}
if ARGV[4] == 'more' and redis.call('EXISTS', KEYS[2]) == 0 then return {'EXPIRED'} end
for i = 5, #ARGV, 200 do
  local last = math.min(i + 199, #ARGV)
  redis.call('HSET', KEYS[2], unpack(ARGV, i, last))
  local members = {}
  for j = i, last, 2 do
    members[#members + 1] = 0
    members[#members + 1] = ARGV[j]
  end
  redis.call('ZADD', KEYS[3], unpack(members))
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return {'OK'}`);

/** KEYS meta, values, keys, new values, new keys; ARGV epoch, nonce, expected position, expected sequence, new position, 'some' or 'none'. */
export const restoreScript = script(`${refuseOtherPositions}
if ARGV[6] == 'some' and redis.call('EXISTS', KEYS[4]) == 0 then return {'EXPIRED'} end
redis.call('UNLINK', KEYS[2], KEYS[3])
if ARGV[6] == 'some' then
  redis.call('PERSIST', KEYS[4])
  redis.call('PERSIST', KEYS[5])
  redis.call('RENAME', KEYS[4], KEYS[2])
  redis.call('RENAME', KEYS[5], KEYS[3])
end
redis.call('HSET', KEYS[1], 'position', ARGV[5], 'sequence', string.format('%.0f', tonumber(ARGV[4]) + 1), 'snapshots', '')
return {'OK'}`);
