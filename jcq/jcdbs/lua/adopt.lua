-- The worker takes over the deliveries that an earlier one left: a new token for every EXITING request of another one.
-- ARGV[4] prefix of the tokens, new for every call   ARGV[5] how many at the most
-- Returns a list of requests, each a flat list field, value, ... Errors: STALE. Events: none.
local err = stale_epoch()
if err then return err end
local left, adopted = tonumber(ARGV[5]), {}
for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
  for _, rid in ipairs(redis.call('ZRANGE', k_in(queue, 'EXITING'), 0, -1)) do
    local key = k_request(rid)
    if left > 0 and redis.call('HGET', key, 'deliverer') ~= ARGV[1] then
      redis.call('HSET', key, 'token', ARGV[4] .. left, 'deliverer', ARGV[1])
      adopted[#adopted + 1] = redis.call('HGETALL', key)
      left = left - 1
    end
  end
end
return adopted
