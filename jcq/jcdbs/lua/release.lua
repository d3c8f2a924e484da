-- Release a held request: it waits again if its time has not come, else it is queued.
-- ARGV[4] rid   ARGV[5] uid that must own it, -1 for an operator
-- Returns the new state. Errors: STALE NOREQUEST NOTOWNER STATE OPHOLD (only an operator may). Events: jcq:wake, jcq:ended.
local rid = ARGV[4]
local state, queue, err = owned(rid, ARGV[5])
if err then return err end
if ARGV[5] ~= '-1' and state == 'HELD' and redis.call('HGET', k_request(rid), 'operator_hold') == '1' then
  return fail('OPHOLD', text_id(rid))
end
local due = tonumber(redis.call('HGET', k_request(rid), 'due_s') or '0')
local target = 'QUEUED'
if due > tonumber(ARGV[2]) then target = 'WAITING' end
if not may('release', state, target) then return wrong_state(rid, state) end
redis.call('HDEL', k_request(rid), 'reason', 'operator_hold')
if target == 'WAITING' then
  wait_until(rid, state, queue, string.format('%.3f', due), '')
else
  place(rid, state, queue, 'QUEUED', queue)
  route(rid, queue)
  promote()
end
return target
