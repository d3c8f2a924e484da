-- Queue the waiting requests whose time has come.
-- ARGV[4] how many at the most
-- Returns {how many were queued, due time of the next one or ''}. Errors: STALE. Events: jcq:wake, jcq:ended.
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
local next_one = redis.call('ZRANGE', 'jcq:waiting', 0, 0, 'WITHSCORES')
return { count, next_one[2] or '' }
