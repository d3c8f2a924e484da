-- Hold a waiting or queued request; a slot that it had goes to the next one. What an operator holds, its owner cannot release.
-- ARGV[4] rid   ARGV[5] uid that must own it, -1 for an operator   ARGV[6] reason
-- Returns 1. Errors: STALE NOREQUEST NOTOWNER STATE. Events: jcq:wake.
local rid = ARGV[4]
local state, queue, err = owned(rid, ARGV[5])
if err then return err end
if not may('hold', state, 'HELD') then return wrong_state(rid, state) end
place(rid, state, queue, 'HELD', queue)
redis.call('HSET', k_request(rid), 'reason', ARGV[6])
if ARGV[5] == '-1' then redis.call('HSET', k_request(rid), 'operator_hold', '1') end
promote()
return 1
