-- Move a request that does not run to another queue; it keeps its number, its priority and what it waits for.
-- ARGV[4] rid   ARGV[5] uid that must own it, -1 for an operator   ARGV[6] queue
-- Returns 1. Errors: STALE NOREQUEST NOTOWNER STATE NOQUEUE DISABLED PIPEONLY NOACCESS NOTLISTED LIMIT INQUEUE (it is there already).
-- Events: jcq:wake, jcq:ended.
local rid, target = ARGV[4], ARGV[6]
local state, queue, err = owned(rid, ARGV[5])
if err then return err end
if not may('move', state, state) then return wrong_state(rid, state) end
local row = redis.call('HMGET', k_queue(target), 'enabled', 'pipeonly')
if not row[1] then return fail('NOQUEUE', target) end
if row[1] ~= '1' then return fail('DISABLED', target) end
if row[2] == '1' then return fail('PIPEONLY', target) end
local why, what = refusal(target, who_is(rid))
if why then return fail(why, what) end
if queue == target then return fail('INQUEUE', 'it is in queue ' .. queue .. ' already') end
local due = redis.call('ZSCORE', 'jcq:waiting', rid)
place(rid, state, queue, state, target)
redis.call('HDEL', k_request(rid), 'retried_s')
take_limits(rid, target)
if state == 'WAITING' and due then redis.call('ZADD', 'jcq:waiting', due, rid) end
if state == 'QUEUED' then route(rid, target) end
promote()
return 1
