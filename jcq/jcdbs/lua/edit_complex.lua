-- Create, change or delete a complex: batch queues that share a run limit. All queues named, or none.
-- ARGV[4] complex   ARGV[5] create, add, remove, delete or limit   ARGV[6] run limit, for create and limit
-- ARGV[7] queues, comma-separated
-- Returns 1. Errors: STALE COMPLEXEXISTS NOCOMPLEX NOQUEUE BADVALUE (a pipe queue) INCOMPLEX NOTINCOMPLEX. Events: jcq:wake.
local err = stale_epoch()
if err then return err end
local name, mode, named = ARGV[4], ARGV[5], ARGV[7]
local key = k_complex(name)
local exists = redis.call('EXISTS', key) == 1
if mode == 'create' and exists then return fail('COMPLEXEXISTS', name) end
if mode ~= 'create' and not exists then return fail('NOCOMPLEX', name) end
local before = redis.call('HGET', key, 'queues') or ''
local list, member = {}, {}
for queue in string.gmatch(before, '[^,]+') do
  list[#list + 1] = queue
  member[queue] = true
end
if mode == 'delete' then named = before end
for queue in string.gmatch(named, '[^,]+') do
  local kind = redis.call('HGET', k_queue(queue), 'type')
  if not kind then return fail('NOQUEUE', queue) end
  if mode == 'remove' or mode == 'delete' then
    if not member[queue] then return fail('NOTINCOMPLEX', queue) end
    member[queue] = nil
  else
    if kind ~= 'BATCH' then return fail('BADVALUE', 'pipe queue ' .. queue .. ' cannot be in a complex') end
    if member[queue] then return fail('INCOMPLEX', queue) end
    member[queue] = true
    list[#list + 1] = queue
  end
end
local kept = {}
for _, queue in ipairs(list) do
  if member[queue] then kept[#kept + 1] = queue end
end
if mode == 'delete' then
  redis.call('DEL', key)
  redis.call('SREM', 'jcq:complexes', name)
else
  redis.call('HSET', key, 'queues', table.concat(kept, ','))
  if ARGV[6] ~= '' then redis.call('HSET', key, 'run_limit', ARGV[6]) end
  redis.call('SADD', 'jcq:complexes', name)
end
for _, queue in ipairs(list) do
  local others = {}
  for other in string.gmatch(redis.call('HGET', k_queue(queue), 'complexes') or '', '[^,]+') do
    if other ~= name then others[#others + 1] = other end
  end
  if member[queue] and mode ~= 'delete' then others[#others + 1] = name end
  redis.call('HSET', k_queue(queue), 'complexes', table.concat(others, ','))
  demote_all(queue)
end
promote()
return 1
