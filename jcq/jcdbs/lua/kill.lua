-- Order a signal for a running request; the worker sends it and reports how the request ended. SIGSTOP and SIGCONT are
-- noted in its record: it is suspended, or not any more.
-- ARGV[4] rid   ARGV[5] uid that must own it, -1 for an operator   ARGV[6] signal number
-- ARGV[7] '1': only if it is suspended, '0': only if it is not, '': in any case
-- Returns 1. Errors: STALE NOREQUEST NOTOWNER STATE. Events: jcq:wake.
local rid, signum, wanted = ARGV[4], ARGV[6], ARGV[7]
local state, _, err = owned(rid, ARGV[5])
if err then return err end
if not may('kill', state, 'RUNNING') then return wrong_state(rid, state) end
local suspended = redis.call('HGET', k_request(rid), 'suspended') or '0'
if wanted ~= '' and wanted ~= suspended then
  return fail('STATE', text_id(rid) .. (suspended == '1' and ' is suspended already.' or ' is not suspended.'))
end
if signum == SIGSTOP then redis.call('HSET', k_request(rid), 'suspended', '1') end
if signum == SIGCONT then redis.call('HDEL', k_request(rid), 'suspended') end
order_signal(rid, signum)
return 1
