-- Hand the signals that were ordered to the worker, once.
-- Returns a flat list: rid, signal number, ... Errors: STALE. Events: none.
local err = stale_epoch()
if err then return err end
local orders = redis.call('HGETALL', 'jcq:kills')
redis.call('DEL', 'jcq:kills')
return orders
