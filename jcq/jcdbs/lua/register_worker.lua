-- The worker of this epoch is ready: from now on requests are promoted.
-- ARGV[4] its rq name   ARGV[5..] field, value, ... of the hash that rq gives every job
-- Returns 1. Errors: STALE. Events: jcq:wake.
local err = stale_epoch()
if err then return err end
local fields = {}
for i = 5, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('DEL', 'jcq:rqjob')
redis.call('HSET', 'jcq:rqjob', unpack(fields))
redis.call('SET', 'jcq:worker', ARGV[4])
promote()
return 1
