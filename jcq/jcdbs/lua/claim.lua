-- Dispatch promoted requests to the worker, the best queue first: QUEUED becomes RUNNING, attempt + 1, with epoch and token.
-- ARGV[4] rq name of the worker   ARGV[5] how many at the most   ARGV[6] prefix of the tokens, new for every call
-- ARGV[7] node   ARGV[8] seconds until rq takes the execution for abandoned
-- Returns a list of requests, each a flat list field, value, ... Errors: STALE. Events: none.
local err = stale_epoch()
if err then return err end
local worker, left, ttl = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[8])
local claimed = {}
for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
  while left > 0 do
    local rid = redis.call('LPOP', rq_list(queue))
    if not rid then break end
    local state = where(rid)
    if state and may('dispatch', state, 'RUNNING') and redis.call('ZSCORE', k_promoted(queue), rid) then
      local key = k_request(rid)
      local token = ARGV[6] .. left
      redis.call('ZREM', k_promoted(queue), rid)
      redis.call('ZADD', k_in(queue, 'RUNNING'), order_of(rid), rid)
      redis.call('HDEL', key, 'promoted', 'reason', 'pid', 'pid_start')
      redis.call('HINCRBY', key, 'attempt', 1)
      redis.call('HSET', key, 'state', 'RUNNING', 'epoch', ARGV[1], 'token', token, 'node', ARGV[7], 'started_s', ARGV[2],
        'dispatch', redis.call('HINCRBY', 'jcq:site', 'dispatch', 1))
      local pair = rid .. ':' .. token
      redis.call('HSET', 'rq:job:' .. rid, 'status', 'started', 'started_at', ARGV[3], 'last_heartbeat', ARGV[3],
        'worker_name', worker)
      redis.call('HSET', 'rq:execution:' .. pair, 'id', token, 'job_id', rid, 'created_at', ARGV[2],
        'last_heartbeat', ARGV[2], 'worker_name', worker)
      redis.call('EXPIRE', 'rq:execution:' .. pair, ttl)
      redis.call('ZADD', 'rq:executions:' .. rid, tonumber(ARGV[2]) + ttl, token)
      redis.call('EXPIRE', 'rq:executions:' .. rid, ttl + 60)
      redis.call('ZADD', 'rq:wip:' .. queue, tonumber(ARGV[2]) + ttl, pair)
      redis.call('SADD', 'rq:worker:' .. worker .. ':executions', pair)
      claimed[#claimed + 1] = redis.call('HGETALL', key)
      left = left - 1
    end
  end
end
return claimed
