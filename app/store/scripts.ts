/**
 * Atomic operations as Lua scripts (https://valkey.io/topics/eval-intro/). All keys of a room are in one slot
 * (https://valkey.io/topics/cluster-spec/#hash-tags).
 */
import { createHash } from 'node:crypto';
import type { RoomName } from '../protocol/messages.ts';

export type Script = { sha1: string; text: string };

const script = (text: string): Script => ({ text, sha1: createHash('sha1').update(text).digest('hex') });

/** Hash, event log and chat history of a room. Its channel has the name of the hash. */
export const keysOf = (room: RoomName): [string, string, string] => [
  `genkan:{${room}}`,
  `genkan:{${room}}:log`,
  `genkan:{${room}}:said`,
];

/**
 * Compare and set. ARGV: format, expected version, next version (empty: the room ends), TTL of the keys in ms (0: unchanged),
 * maximum events and bytes of the log, time before which events are too old; then lists, each preceded by its length: `a:` fields
 * with expected values, fields to set, fields to remove, chat messages, events; last, how many chat messages to keep (-1:
 * unchanged).
 * → `kept`, number of the last event, bytes of the log; or `changed`, fields, chat messages; or `format`, the format found.
 */
const commit = `
local room, log, said = KEYS[1], KEYS[2], KEYS[3]
local at = 0
local function take() at = at + 1 return ARGV[at] end
local function takeList()
  local list = {}
  for i = 1, tonumber(take()) do list[i] = take() end
  return list
end
local format, expected, version, ttl = take(), take(), take(), tonumber(take())
local maxEvents, maxBytes, oldest = tonumber(take()), tonumber(take()), tonumber(take())
local known, set, remove, texts, events = takeList(), takeList(), takeList(), takeList(), takeList()
local kept = tonumber(take())

local head = redis.call('HMGET', room, 'format', 'version', 'seq', 'bytes')
if head[1] and head[1] ~= format then return {'format', head[1]} end
local same = (head[2] or '') == expected
if same and #known > 0 then
  local fields = {}
  for i = 1, #known, 2 do fields[#fields + 1] = known[i] end
  local values = redis.call('HMGET', room, unpack(fields))
  for i = 1, #fields do if values[i] ~= known[2 * i] then same = false end end
end
if not same then return {'changed', redis.call('HGETALL', room), redis.call('LRANGE', said, 0, -1)} end

local seq, bytes = tonumber(head[3] or '0'), tonumber(head[4] or '0')
local life = string.match(version ~= '' and version or expected, '^[^.]*')
local first = seq
seq = seq + #events
-- Publish after all writes: a replica or a full store refuses writes but not SPUBLISH, and a script is not rolled back.
local function publish()
  for at, event in ipairs(events) do
    redis.call('SPUBLISH', room, life .. '\\n' .. string.format('%.0f', first + at) .. '\\n' .. event)
  end
end
if version == '' then
  if expected ~= '' then
    redis.call('DEL', room, log, said)
    publish()
    redis.call('SPUBLISH', room, life .. '\\n')
  end
  return {'kept', seq, 0}
end

if #events > 0 then
  for _, event in ipairs(events) do
    redis.call('RPUSH', log, event)
    bytes = bytes + #event + 16
  end
  local length = redis.call('LLEN', log)
  local function old()
    return seq % 16 == 0 and tonumber(string.match(redis.call('LINDEX', log, 0), '^[^\\n]*')) < oldest
  end
  while length > 0 and (length > maxEvents or bytes > maxBytes or old()) do
    bytes = bytes - #redis.call('LPOP', log) - 16
    length = length - 1
  end
  set[#set + 1] = 'seq' set[#set + 1] = string.format('%.0f', seq)
  set[#set + 1] = 'bytes' set[#set + 1] = string.format('%.0f', bytes)
end
if version ~= expected then
  set[#set + 1] = 'format' set[#set + 1] = format
  set[#set + 1] = 'version' set[#set + 1] = version
end
if #set > 0 then redis.call('HSET', room, unpack(set)) end
if #remove > 0 then redis.call('HDEL', room, unpack(remove)) end
if #texts > 0 then redis.call('RPUSH', said, unpack(texts)) end
if kept == 0 then redis.call('DEL', said) elseif kept > 0 then redis.call('LTRIM', said, -kept, -1) end
if ttl > 0 then for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl) end end
publish()
return {'kept', seq, bytes}
`;
export const commitScript = script(commit);

/** For scripts that free memory or need almost none: they also run in a full store (https://valkey.io/topics/eval-intro/#script-flags). */
const whenFull = '#!lua flags=allow-oom\n';
/** The same for commands that must run, such as leaving. */
export const commitWhenFullScript = script(whenFull + commit.trimStart());

/** ARGV: maximum bytes of the log, time before which events are too old. → bytes of the log. */
export const trimScript = script(`${whenFull}
local room, log = KEYS[1], KEYS[2]
local maxBytes, oldest = tonumber(ARGV[1]), tonumber(ARGV[2])
local bytes = tonumber(redis.call('HMGET', room, 'bytes')[1] or '0')
local before = bytes
local first = redis.call('LINDEX', log, 0)
while first and (bytes > maxBytes or tonumber(string.match(first, '^[^\\n]*')) < oldest) do
  bytes = bytes - #redis.call('LPOP', log) - 16
  first = redis.call('LINDEX', log, 0)
end
if bytes ~= before then redis.call('HSET', room, 'bytes', string.format('%.0f', bytes)) end
return bytes
`);

/** ARGV: format, number. → version, number of the last event, and the events after the number; no list if some are gone. */
export const sinceScript = script(`
local head = redis.call('HMGET', KEYS[1], 'format', 'version', 'seq')
if head[1] and head[1] ~= ARGV[1] then return {'format', head[1]} end
local seq = tonumber(head[3] or '0')
local wanted = seq - tonumber(ARGV[2])
if not head[2] then return {'', 0} end
if wanted == 0 then return {head[2], seq, {}} end
if wanted < 0 or wanted > redis.call('LLEN', KEYS[2]) then return {head[2], seq} end
return {head[2], seq, redis.call('LRANGE', KEYS[2], -wanted, -1)}
`);
