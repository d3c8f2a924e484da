-- Read which requests there are that have not ended, all at one moment: none is missed, none stands twice.
-- Returns a list of rids, in no order. Errors: none. Events: none.
local found = {}
for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
  local keys = { k_promoted(queue) }
  for state in string.gmatch(STATES, '%S+') do
    if state ~= 'DONE' then keys[#keys + 1] = k_in(queue, state) end
  end
  for _, key in ipairs(keys) do
    for _, rid in ipairs(redis.call('ZRANGE', key, 0, -1)) do found[#found + 1] = rid end
  end
end
return found
