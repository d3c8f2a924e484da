-- Dispatch promoted requests to the worker, the best queue first: QUEUED becomes RUNNING, attempt + 1, with epoch and token.
-- The same prefix again dispatches nothing and gets what it was given, as far as that still runs.
-- ARGV[4] rq name of the worker   ARGV[5] how many at the most   ARGV[6] prefix of the tokens, new for every call
-- ARGV[7] node   ARGV[8] seconds until rq takes the execution for abandoned
-- What the list of rq holds and its own record contradicts is damaged, and goes into the lost-and-found.
-- Returns a list of requests, each {rid, {field, value, ...}}. Errors: STALE. Events: none; jcq:wake after a loss.
local err = stale_epoch()
if err then return err end
local worker, left, ttl = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[8])
local claimed, lost = {}, false
local strategy = redis.call('HGET', 'jcq:site', 'shell_strategy') or ''
if redis.call('HGET', 'jcq:site', 'claimed') == ARGV[6] then
  for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
    for _, rid in ipairs(redis.call('ZRANGE', k_in(queue, 'RUNNING'), 0, -1)) do
      local token = redis.call('HGET', k_request(rid), 'token') or ''
      if string.sub(token, 1, #ARGV[6]) == ARGV[6] then claimed[#claimed + 1] = record(rid) end
    end
  end
  return claimed
end
for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
  while left > 0 do
    local rid = redis.call('LPOP', rq_list(queue))
    if not rid then break end
    local key = k_request(rid)
    local state, at = where(rid)
    local whole = state and at == queue and string.find(redis.call('HGET', key, 'attempt') or '0', '^%d+$')
    if whole and may('dispatch', state, 'RUNNING') and redis.call('ZSCORE', k_promoted(queue), rid) then
      local token = ARGV[6] .. left
      redis.call('ZREM', k_promoted(queue), rid)
      redis.call('HDEL', key, 'promoted', 'reason', 'pid', 'pid_start', 'bounced', 'background', 'rerun', 'requeue', 'suspended', 'fixed_shell')
      redis.call('ZADD', k_in(queue, 'RUNNING'), order_of(rid), rid)
      if redis.call('HGET', k_queue(queue), 'background') == '1' then redis.call('HSET', key, 'background', '1') end
      if string.sub(strategy, 1, 1) == '/' then redis.call('HSET', key, 'fixed_shell', strategy) end
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
      claimed[#claimed + 1] = record(rid)
      left = left - 1
    elseif redis.call('ZREM', k_promoted(queue), rid) == 1 then
      free_slot(rid, queue)
      lost = misplaced(rid) or lost
    end
  end
end
if #claimed > 0 then redis.call('HSET', 'jcq:site', 'claimed', ARGV[6]) end
if lost then promote() end
return claimed
