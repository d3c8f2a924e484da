-- Read every queue with its counts; ARGV[1], if given, names the only one wanted.
-- Returns a list of {attributes as a flat list, {state, count, ...}, name}. Errors: NOQUEUE. Events: none.
local found = {}
local names = redis.call('ZRANGE', 'jcq:queues', 0, -1)
if ARGV[1] then names = { ARGV[1] } end
for _, name in ipairs(names) do
  local attributes = redis.call('HGETALL', k_queue(name))
  if #attributes == 0 then return fail('NOQUEUE', name) end
  local counts = {}
  for state in string.gmatch(STATES, '%S+') do
    local n = redis.call('ZCARD', k_in(name, state))
    if state == 'QUEUED' then n = n + redis.call('ZCARD', k_promoted(name)) end
    counts[#counts + 1] = state
    counts[#counts + 1] = n
  end
  found[#found + 1] = { attributes, counts, name }
end
return found
