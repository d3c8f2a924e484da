-- A claimed request of which nothing has run goes back: HELD where it cannot be started here, QUEUED where the site stops: then it
-- was at the front already, and is first among equals again.
-- The same token again gets the same answer.
-- ARGV[4] rid   ARGV[5] attempt   ARGV[6] token   ARGV[7] reason   ARGV[8] rq name of the worker   ARGV[9] HELD or QUEUED
-- Returns 1. Errors: STALE LOST. Events: none: the worker claims after it.
local err = stale_epoch()
if err then return err end
local rid = ARGV[4]
local key = k_request(rid)
local row = redis.call('HMGET', key, 'state', 'attempt', 'token', 'queue')
if row[2] ~= ARGV[5] then return fail('LOST', rid) end
if row[1] ~= 'RUNNING' and redis.call('HGET', key, 'bounced') == ARGV[6] then return 1 end
if row[3] ~= ARGV[6] or not may('bounce', row[1], ARGV[9]) then return fail('LOST', rid) end
give_back(rid, row[1], row[4], ARGV[9], ARGV[6], ARGV[8], ARGV[7])
return 1
