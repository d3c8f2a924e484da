-- A running request has ended: RUNNING becomes EXITING with its outcome, its slot goes to the next one.
-- The same token again gets the same answer.
-- ARGV[4] rid   ARGV[5] attempt   ARGV[6] token   ARGV[7] outcome   ARGV[8] exit code   ARGV[9] signal
-- ARGV[10] started, ARGV[11] ended: seconds since 1970   ARGV[12] CPU seconds   ARGV[13] greatest RSS, kB
-- ARGV[14] rq name of the worker   ARGV[15] retention, seconds, where the site has none of its own   ARGV[16] ended as rq writes it
-- ARGV[17] return_value or exc_string   ARGV[18] that value, encoded as rq's results are
-- Returns 1; 2 where rerun.lua had ordered that it is QUEUED again, whatever its outcome. Errors: STALE LOST. Events: jcq:mailed; the worker claims after it.
local err = stale_epoch()
if err then return err end
local rid = ARGV[4]
local key = k_request(rid)
local row = redis.call('HMGET', key, 'state', 'attempt', 'token', 'queue')
if row[2] == ARGV[5] and row[1] ~= 'RUNNING' and redis.call('HGET', key, 'bounced') == ARGV[6] then return 2 end
if row[2] ~= ARGV[5] or row[3] ~= ARGV[6] then return fail('LOST', rid) end
if row[1] == 'EXITING' then return 1 end
if not may('finish', row[1], 'EXITING') then return fail('LOST', rid) end
local queue, ttl = row[4], tonumber(redis.call('HGET', 'jcq:site', 'retention_s') or ARGV[15])
if redis.call('HGET', key, 'requeue') == '1' and may('rerun', row[1], 'QUEUED') then
  give_back(rid, row[1], queue, 'QUEUED', ARGV[6], ARGV[14], 'ended by qrerun, to run again')
  return 2
end
-- One that ends at once is never reported as begun.
if redis.call('HEXISTS', key, 'pid') == 0 then mail(rid, 'begun', 'mail_begin') end
place(rid, row[1], queue, 'EXITING', queue)
free_slot(rid, queue)
redis.call('HDEL', 'jcq:kills', rid)
redis.call('HDEL', key, 'suspended')
redis.call('HSET', key, 'outcome', ARGV[7], 'exit_code', ARGV[8], 'signal', ARGV[9], 'started_s', ARGV[10],
  'ended_s', ARGV[11], 'cpu_s', ARGV[12], 'maxrss_kb', ARGV[13])
close_execution(rid, queue, ARGV[6], ARGV[14])
rq_record(rid, queue, ARGV[6], ARGV[14], ttl, ARGV[10], ARGV[11], ARGV[16], ARGV[17], ARGV[18])
redis.call('HINCRBY', 'rq:worker:' .. ARGV[14], ARGV[17] == 'return_value' and 'successful_job_count' or 'failed_job_count', 1)
promote(true)
return 1
