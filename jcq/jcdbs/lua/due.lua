-- Queue the waiting requests whose time has come, and order the SIGKILLs of abort.lua whose time has come: for the very
-- attempt that was meant, if it still runs.
-- ARGV[4] how many of each at the most
-- Returns {how many were queued, time of what is next or ''}. Errors: STALE. Events: jcq:wake, jcq:ended.
local err = stale_epoch()
if err then return err end
local ids = redis.call('ZRANGEBYSCORE', 'jcq:waiting', '-inf', ARGV[2], 'LIMIT', 0, tonumber(ARGV[4]))
local count = 0
for _, rid in ipairs(ids) do
  local state, queue = where(rid)
  if state and may('due', state, 'QUEUED') then
    place(rid, state, queue, 'QUEUED', queue)
    redis.call('HDEL', k_request(rid), 'reason')
    route(rid, queue)
    count = count + 1
  else
    redis.call('ZREM', 'jcq:waiting', rid)
    misplaced(rid)
  end
end
promote()
for _, member in ipairs(redis.call('ZRANGEBYSCORE', 'jcq:killtimes', '-inf', ARGV[2], 'LIMIT', 0, tonumber(ARGV[4]))) do
  local rid, attempt = string.match(member, '^(.*):(%d+)$')
  local state = rid and where(rid)
  if state and may('kill', state, 'RUNNING') and redis.call('HGET', k_request(rid), 'attempt') == attempt then
    order_signal(rid, SIGKILL)
  end
  redis.call('ZREM', 'jcq:killtimes', member)
end
local next_one = redis.call('ZRANGE', 'jcq:waiting', 0, 0, 'WITHSCORES')[2]
local next_kill = redis.call('ZRANGE', 'jcq:killtimes', 0, 0, 'WITHSCORES')[2]
if next_kill and (not next_one or tonumber(next_kill) < tonumber(next_one)) then next_one = next_kill end
return { count, next_one or '' }
