-- Order a signal for a running request; the worker sends it and reports how the request ended.
-- ARGV[4] rid   ARGV[5] uid that must own it, -1 for an operator   ARGV[6] signal number
-- Returns 1. Errors: STALE NOREQUEST NOTOWNER STATE. Events: jcq:wake.
local rid = ARGV[4]
local state, _, err = owned(rid, ARGV[5])
if err then return err end
if not may('kill', state, 'RUNNING') then return wrong_state(rid, state) end
local before = redis.call('HGET', 'jcq:kills', rid)
if before ~= '9' then redis.call('HSET', 'jcq:kills', rid, ARGV[6]) end
redis.call('PUBLISH', 'jcq:wake', 'kill')
return 1
