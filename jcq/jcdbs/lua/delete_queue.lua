-- Delete a queue that is disabled, holds no request and is named nowhere.
-- ARGV[4] name
-- Returns 1. Errors: STALE NOQUEUE ENABLED NOTEMPTY INUSE. Events: none.
local err = stale_epoch()
if err then return err end
local name = ARGV[4]
local enabled = redis.call('HGET', k_queue(name), 'enabled')
if not enabled then return fail('NOQUEUE', name) end
if enabled == '1' then return fail('ENABLED', name) end
if holds_requests(name) then return fail('NOTEMPTY', name) end
if (redis.call('HGET', k_queue(name), 'complexes') or '') ~= '' then return fail('INUSE', name) end
if redis.call('HGET', 'jcq:site', 'default_queue') == name then return fail('INUSE', name) end
for _, other in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
  local destinations = ',' .. (redis.call('HGET', k_queue(other), 'destinations') or '') .. ','
  if other ~= name and string.find(destinations, ',' .. name .. ',', 1, true) then return fail('INUSE', name) end
end
remove_queue(name)
return 1
