//! What happens in Redis as one step.
//!
//! A room's hash has `seq`, how many entries its log had, and `mark`, which the last of them was given; and the
//! latest snapshot with its `at` and `at_mark`. What a node knows of a room is such a number with its mark: a log that has
//! another mark there is another log, written when Redis had lost the one that the node followed.

use std::sync::LazyLock;

use redis::Script;

/// Adds an entry, unless the writer knows more of the room, or something else. Answers 0 then.
pub(super) static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local room = redis.call('HMGET', KEYS[1], 'seq', 'mark')
local seq, mark = tonumber(room[1] or '0'), room[2] or '0'
local at = tonumber(ARGV[2])
if seq < at or (seq == at and mark ~= ARGV[3]) then return 0 end
if seq == 0 then redis.call('DEL', KEYS[2]) end
seq = string.format('%.0f', seq + 1)
local time = redis.call('TIME')
local millis = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
redis.call('XADD', KEYS[2], seq .. '-0', 't', millis, 'b', mark, 'm', ARGV[4], 'e', ARGV[5])
redis.call('HSET', KEYS[1], 'seq', seq, 'mark', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('PUBLISH', ARGV[1], table.concat({seq, millis, mark, ARGV[4], ARGV[5]}, ' '))
return 1",
    )
});

/// What a node that knows something of a room needs to go on: `rest`, the entries that came since; `all`, a snapshot
/// and what came then, because what it knows is of another log or too old; or nothing, because Redis is `behind` it.
pub(super) static FETCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local room = redis.call('HMGET', KEYS[1], 'seq', 'mark', 'at', 'at_mark', 'snapshot')
local seq, at = tonumber(room[1] or '0'), tonumber(room[3] or '0')
local after, mark = tonumber(ARGV[1]), ARGV[2]
if after > seq then return {'behind', '0', '0', ''} end
if seq == 0 then return {'rest', '0', '0', ''} end
local known = (after == seq and mark == (room[2] or '0')) or (after == at and mark == (room[4] or '0'))
if not known and after > 0 then
  local id = string.format('%.0f', after) .. '-0'
  local there = redis.call('XRANGE', KEYS[2], id, id)[1]
  known = there and there[2][6] == mark
end
local answer = {'rest', '0', '0', ''}
if not known then
  answer = {'all', room[3] or '0', room[4] or '0', room[5] or ''}
  after = at
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], string.format('%.0f', after + 1) .. '-0', '+')) do
  table.insert(answer, string.match(entry[1], '^%d+'))
  for field = 2, 8, 2 do table.insert(answer, entry[2][field]) end
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
local there = redis.call('XRANGE', KEYS[2], ARGV[1] .. '-0', ARGV[1] .. '-0')[1]
if not there or there[2][6] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'at', ARGV[1], 'at_mark', ARGV[2], 'snapshot', ARGV[3])
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[4] .. '-0')
return 1",
    )
});

/// Puts a room back as a node knows it, if Redis knows less, and tells the nodes that have members there.
pub(super) static RESTORE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
if seq >= tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'seq', ARGV[1], 'mark', ARGV[2], 'at', ARGV[1], 'at_mark', ARGV[2], 'snapshot', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 1",
    )
});

/// Forgets a room that nobody is in, unless something has happened in it since. That it was there is known for a while,
/// to nodes that come late with more.
pub(super) static DROP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local room = redis.call('HMGET', KEYS[1], 'seq', 'mark')
if room[1] ~= ARGV[1] or room[2] ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'at', ARGV[1], 'at_mark', ARGV[2], 'snapshot', '')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1",
    )
});
