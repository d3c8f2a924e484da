-- The worker lives: refresh what rq would otherwise take for abandoned.
-- ARGV[4] rq name of the worker   ARGV[5] seconds until rq takes an execution for abandoned
-- Returns how many executions there are. Errors: STALE. Events: none.
local err = stale_epoch()
if err then return err end
local ttl, count = tonumber(ARGV[5]), 0
for _, pair in ipairs(redis.call('SMEMBERS', 'rq:worker:' .. ARGV[4] .. ':executions')) do
  local rid, token = string.match(pair, '^(.-):(.*)$')
  local _, queue = where(rid)
  if queue then
    redis.call('HSET', 'rq:execution:' .. pair, 'last_heartbeat', ARGV[2])
    redis.call('EXPIRE', 'rq:execution:' .. pair, ttl)
    redis.call('ZADD', 'rq:executions:' .. rid, tonumber(ARGV[2]) + ttl, token)
    redis.call('EXPIRE', 'rq:executions:' .. rid, ttl + 60)
    redis.call('ZADD', 'rq:wip:' .. queue, tonumber(ARGV[2]) + ttl, pair)
    redis.call('HSET', 'rq:job:' .. rid, 'last_heartbeat', ARGV[3])
    count = count + 1
  end
end
return count
