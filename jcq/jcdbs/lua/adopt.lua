-- The worker takes over the deliveries that an earlier one left: a new token for every EXITING request of another one.
-- The same prefix again adopts nothing and gets what it was given, as far as that is not delivered.
-- ARGV[4] prefix of the tokens, new for every call   ARGV[5] how many at the most
-- Returns a list of requests, each {rid, {field, value, ...}}. Errors: STALE. Events: none.
local err = stale_epoch()
if err then return err end
local left, adopted, again = tonumber(ARGV[5]), {}, redis.call('HGET', 'jcq:site', 'adopted') == ARGV[4]
for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
  for _, rid in ipairs(redis.call('ZRANGE', k_in(queue, 'EXITING'), 0, -1)) do
    local key = k_request(rid)
    if again then
      local token = redis.call('HGET', key, 'token') or ''
      if string.sub(token, 1, #ARGV[4]) == ARGV[4] then adopted[#adopted + 1] = record(rid) end
    elseif left > 0 and redis.call('HGET', key, 'deliverer') ~= ARGV[1] then
      redis.call('HSET', key, 'token', ARGV[4] .. left, 'deliverer', ARGV[1])
      adopted[#adopted + 1] = record(rid)
      left = left - 1
    end
  end
end
if #adopted > 0 and not again then redis.call('HSET', 'jcq:site', 'adopted', ARGV[4]) end
return adopted
