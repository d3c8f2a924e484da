-- Forget requests that ended before a moment.
-- ARGV[4] that moment, seconds since 1970   ARGV[5] how many at the most
-- Returns their rids, whose files may now be removed. Errors: STALE. Events: none.
local err = stale_epoch()
if err then return err end
local gone = {}
for _, rid in ipairs(redis.call('ZRANGEBYSCORE', 'jcq:done', '-inf', ARGV[4], 'LIMIT', 0, tonumber(ARGV[5]))) do
  local state, queue = where(rid)
  redis.call('ZREM', 'jcq:done', rid)
  if state and queue and may('retire', state, NOWHERE) then
    redis.call('DEL', k_request(rid), 'rq:job:' .. rid, 'rq:results:' .. rid)
    redis.call('ZREM', 'rq:finished:' .. queue, rid)
    redis.call('ZREM', 'rq:failed:' .. queue, rid)
    gone[#gone + 1] = rid
  end
end
return gone
