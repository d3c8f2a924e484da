-- Carry out what the start of the site decided about one request that an older run left unfinished.
-- ARGV[4] rid   ARGV[5] rerun | keep | remove | recorded | redo
--   rerun: QUEUED again, same sequence and priority, first among equals   keep: the same, and its queue is stopped
--   remove: EXITING, outcome purged   recorded: EXITING with the outcome of its exit record   redo: WAITING, due now
-- ARGV[6] reason   for recorded: ARGV[7..18] as finish.lua has them
-- Returns the new state. Errors: STALE NOREQUEST STATE (also what this very run dispatched).
-- Events: none, no worker is registered yet.
local err = stale_epoch()
if err then return err end
local rid, decision = ARGV[4], ARGV[5]
local key = k_request(rid)
local state, queue = where(rid)
if not state then return fail('NOREQUEST', rid) end
local target = ({ rerun = 'QUEUED', keep = 'QUEUED', remove = 'EXITING', recorded = 'EXITING', redo = 'WAITING' })[decision]
if not may('recover', state, target) then return wrong_state(rid, state) end
if state == 'RUNNING' and redis.call('HGET', key, 'epoch') == ARGV[1] then return wrong_state(rid, state) end
if target == 'WAITING' then
  wait_until(rid, state, queue, ARGV[2], ARGV[6])
  return target
end
if target == 'QUEUED' then redis.call('HSET', key, 'rerun', '1') end
place(rid, state, queue, target, queue)
redis.call('HDEL', key, 'pid', 'pid_start', 'deliverer', 'requeue', 'suspended')
redis.call('HDEL', 'jcq:kills', rid)
free_slot(rid, queue)
local token = redis.call('HGET', key, 'token') or ''
redis.call('DEL', 'rq:executions:' .. rid, 'rq:execution:' .. rid .. ':' .. token)
if decision ~= 'recorded' then redis.call('DEL', 'rq:job:' .. rid) end
if decision == 'keep' then redis.call('HSET', k_queue(queue), 'started', '0') end
if decision == 'recorded' then
  redis.call('HSET', key, 'outcome', ARGV[7], 'exit_code', ARGV[8], 'signal', ARGV[9], 'started_s', ARGV[10],
    'ended_s', ARGV[11], 'cpu_s', ARGV[12], 'maxrss_kb', ARGV[13])
  rq_record(rid, queue, token, ARGV[14], tonumber(redis.call('HGET', 'jcq:site', 'retention_s') or ARGV[15]), ARGV[10], ARGV[11], ARGV[16], ARGV[17], ARGV[18])
elseif decision == 'remove' then
  redis.call('HSET', key, 'outcome', 'purged', 'ended_s', ARGV[2], 'reason', ARGV[6])
else
  redis.call('HDEL', key, 'started_s', 'token')
  redis.call('HSET', key, 'reason', ARGV[6])
end
return target
