-- Create a queue.
-- ARGV[4] name   ARGV[5] type   ARGV[6] priority   ARGV[7] destinations, comma-separated   ARGV[8..] field, value, ...
-- Returns 1. Errors: STALE QUEUEEXISTS NOQUEUE (a destination). Events: none.
local err = stale_epoch()
if err then return err end
local name = ARGV[4]
if redis.call('EXISTS', k_queue(name)) == 1 then return fail('QUEUEEXISTS', name) end
for destination in string.gmatch(ARGV[7], '[^,]+') do
  if redis.call('EXISTS', k_queue(destination)) == 0 then return fail('NOQUEUE', destination) end
end
local fields = {}
for i = 8, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', k_queue(name), unpack(fields))
redis.call('ZADD', 'jcq:queues', -tonumber(ARGV[6]), name)
if ARGV[5] == 'BATCH' then
  redis.call('SADD', 'rq:queues', rq_list(name))
  redis.call('PUBLISH', 'jcq:wake', 'queues')
end
return 1
