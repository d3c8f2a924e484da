-- Forget requests that ended before a moment.
-- ARGV[4] that moment, seconds since 1970, where the site has no retention of its own   ARGV[5] how many at the most
-- Returns their rids, whose files may now be removed. Errors: STALE. Events: none.
local err = stale_epoch()
if err then return err end
local gone, before = {}, ARGV[4]
local retention_s = tonumber(redis.call('HGET', 'jcq:site', 'retention_s') or '')
if retention_s then before = string.format('%.6f', tonumber(ARGV[2]) - retention_s) end
for _, rid in ipairs(redis.call('ZRANGEBYSCORE', 'jcq:done', '-inf', before, 'LIMIT', 0, tonumber(ARGV[5]))) do
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
