-- The output of an ended request is where it belongs: EXITING becomes DONE. The same token again gets the same answer.
-- ARGV[4] rid   ARGV[5] attempt   ARGV[6] token   ARGV[7] note: where output went instead, or ''
-- Returns 1. Errors: STALE LOST. Events: jcq:ended, jcq:mailed.
local err = stale_epoch()
if err then return err end
local rid = ARGV[4]
local key = k_request(rid)
local row = redis.call('HMGET', key, 'state', 'attempt', 'token', 'queue', 'outcome', 'ended_s')
if row[2] ~= ARGV[5] or row[3] ~= ARGV[6] then return fail('LOST', rid) end
if row[1] == 'DONE' then return 1 end
if not may('deliver', row[1], 'DONE') then return fail('LOST', rid) end
make_done(rid, row[1], row[4], row[5], ARGV[7])
if row[6] then redis.call('HSET', key, 'ended_s', row[6]) end
return 1
