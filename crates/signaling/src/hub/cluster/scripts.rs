//! What happens in Redis as one step.

use std::sync::LazyLock;

use redis::Script;

/// Adds an entry, unless the room has forgotten some that the writer knows of.
pub(super) static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
if seq < tonumber(ARGV[2]) then return 0 end
if seq == 0 then redis.call('DEL', KEYS[2]) end
seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
local time = redis.call('TIME')
local millis = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
redis.call('XADD', KEYS[2], seq .. '-0', 't', millis, 'e', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('PUBLISH', ARGV[1], seq .. ' ' .. millis .. ' ' .. ARGV[3])
return seq",
    )
});

/// What is needed to follow a room after so many entries: those that came since, or a snapshot and what came then.
pub(super) static FETCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local room = redis.call('HMGET', KEYS[1], 'seq', 'at', 'snapshot')
local seq, at = tonumber(room[1] or '0'), tonumber(room[2] or '0')
local after = tonumber(ARGV[1])
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local reaches = after == seq or (first and tonumber(string.match(first[1], '^%d+')) <= after + 1)
local answer = {tostring(seq), '0', ''}
if after > seq then return answer end
if not reaches or (after == 0 and at > 0) then
  answer = {tostring(seq), tostring(at), room[3] or ''}
  after = at
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], string.format('%.0f', after + 1) .. '-0', '+')) do
  table.insert(answer, string.match(entry[1], '^%d+'))
  table.insert(answer, entry[2][2])
  table.insert(answer, entry[2][4])
end
return answer",
    )
});

/// Keeps a snapshot that is newer than the one there, and of the log only what nodes may still need.
pub(super) static SAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local room = redis.call('HMGET', KEYS[1], 'seq', 'at')
local seq, at = tonumber(room[1] or '0'), tonumber(room[2] or '0')
local mine = tonumber(ARGV[1])
if mine <= at or mine > seq then return 0 end
redis.call('HSET', KEYS[1], 'at', ARGV[1], 'snapshot', ARGV[2])
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[3] .. '-0')
return 1",
    )
});

/// Puts a room back that Redis has lost, unless somebody else who knew as much has.
pub(super) static RESTORE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
if seq >= tonumber(ARGV[1]) or (seq > 0 and redis.call('XLEN', KEYS[2]) > 0) then return 0 end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'seq', ARGV[1], 'at', ARGV[1], 'snapshot', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1",
    )
});

/// Forgets a room that nobody is in, unless something has happened in it since.
pub(super) static DROP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('HGET', KEYS[1], 'seq') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1], KEYS[2])",
    )
});
