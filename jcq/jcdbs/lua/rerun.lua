-- Order that a running request is ended and queued again, as if the site had failed while it ran; finish.lua does the latter.
-- ARGV[4] rid   ARGV[5] uid that must own it, -1 for an operator
-- Returns 1. Errors: STALE NOREQUEST NOTOWNER STATE BADVALUE (it is not restartable). Events: jcq:wake.
local rid = ARGV[4]
local state, _, err = owned(rid, ARGV[5])
if err then return err end
if not may('rerun', state, 'QUEUED') then return wrong_state(rid, state) end
if redis.call('HGET', k_request(rid), 'restartable') == '0' then
  return fail('BADVALUE', 'it is not restartable (-nr), so it is never run again')
end
redis.call('HSET', k_request(rid), 'requeue', '1')
order_signal(rid, '9')
return 1
