-- The first process of a claimed request lives.
-- ARGV[4] rid   ARGV[5] attempt   ARGV[6] token   ARGV[7] pid   ARGV[8] its start time, clock ticks since boot
-- Returns 1. Errors: STALE LOST. Events: jcq:mailed.
local err = stale_epoch()
if err then return err end
local key = k_request(ARGV[4])
local row = redis.call('HMGET', key, 'state', 'attempt', 'token', 'pid')
if row[2] ~= ARGV[5] or row[3] ~= ARGV[6] or not may('begin', row[1], 'RUNNING') then return fail('LOST', ARGV[4]) end
if not row[4] then mail(ARGV[4], 'begun', 'mail_begin') end
redis.call('HSET', key, 'pid', ARGV[7], 'pid_start', ARGV[8])
return 1
