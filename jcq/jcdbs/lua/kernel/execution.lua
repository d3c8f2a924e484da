-- rq's records of one execution.

-- rq's own records of one execution, once it is over.
local function close_execution(rid, queue, token, worker)
  local pair = rid .. ':' .. token
  redis.call('DEL', 'rq:execution:' .. pair, 'rq:executions:' .. rid)
  redis.call('ZREM', 'rq:wip:' .. queue, pair)
  if worker and worker ~= '' then redis.call('SREM', 'rq:worker:' .. worker .. ':executions', pair) end
end

-- rq's own record of how a request ended: status, registry, result. ended_iso, field and value are encoded as rq's are.
local function rq_record(rid, queue, token, worker, ttl, started, ended, ended_iso, field, value)
  local good = field == 'return_value'
  local job, results = 'rq:job:' .. rid, 'rq:results:' .. rid
  redis.call('HSET', job, 'status', good and 'finished' or 'failed', 'ended_at', ended_iso)
  redis.call('EXPIRE', job, ttl)
  redis.call('ZADD', (good and 'rq:finished:' or 'rq:failed:') .. queue, tonumber(ARGV[2]) + ttl, rid)
  redis.call('XADD', results, 'MAXLEN', '10', '*', 'type', good and '1' or '2', 'created_at', ARGV[2], field, value,
    'worker_name', worker, 'execution_id', token, 'execution_started_at', started, 'execution_ended_at', ended)
  redis.call('EXPIRE', results, ttl)
end

-- A claimed request is not RUNNING any more, and is to run again some time: QUEUED, first among equals, or HELD.
local function give_back(rid, from, queue, to, token, worker, reason)
  local key = k_request(rid)
  if to == 'QUEUED' then redis.call('HSET', key, 'rerun', '1') end
  free_slot(rid, queue)
  place(rid, from, queue, to, queue)
  redis.call('HDEL', key, 'pid', 'pid_start', 'started_s', 'token', 'requeue', 'suspended')
  redis.call('HDEL', 'jcq:kills', rid)
  redis.call('HSET', key, 'reason', reason, 'bounced', token)
  close_execution(rid, queue, token, worker)
  redis.call('DEL', 'rq:job:' .. rid)
  promote(true)
end
