-- Hand the signals that were ordered to the worker. The same token again gets the same ones, so that a lost answer loses
-- none; what another token was given is acknowledged by this call, and forgotten.
-- ARGV[4] token
-- Returns a flat list: rid, signal numbers with commas between, ... Errors: STALE. Events: none.
local err = stale_epoch()
if err then return err end
local found = {}
local orders = redis.call('HGETALL', 'jcq:kills')
for i = 1, #orders, 2 do
  local signals, token = string.match(orders[i + 1], '^([%d,]+):?(.*)$')
  if token == '' or token == ARGV[4] then
    if token == '' then redis.call('HSET', 'jcq:kills', orders[i], signals .. ':' .. ARGV[4]) end
    found[#found + 1] = orders[i]
    found[#found + 1] = signals
  else
    redis.call('HDEL', 'jcq:kills', orders[i])
  end
end
return found
