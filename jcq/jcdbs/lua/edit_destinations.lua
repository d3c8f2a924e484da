-- Add destinations to the end of a pipe queue's list, take some from it, or replace it; all of them or none.
-- A started queue that holds requests routes them by the new list at once.
-- ARGV[4] queue   ARGV[5] add, delete or set   ARGV[6] destinations, comma-separated
-- Returns 1. Errors: STALE NOQUEUE (also a destination) BADVALUE (no pipe queue) SELF NODEST DESTEXISTS.
-- Events: jcq:wake, jcq:ended.
local err = stale_epoch()
if err then return err end
local name, mode = ARGV[4], ARGV[5]
local row = redis.call('HMGET', k_queue(name), 'type', 'started', 'destinations')
if not row[1] then return fail('NOQUEUE', name) end
if row[1] ~= 'PIPE' then return fail('BADVALUE', 'batch queue ' .. name .. ' has no destinations') end
local list, named = {}, {}
if mode ~= 'set' then
  for destination in string.gmatch(row[3] or '', '[^,]+') do
    list[#list + 1] = destination
    named[destination] = true
  end
end
for destination in string.gmatch(ARGV[6], '[^,]+') do
  if mode == 'delete' then
    if not named[destination] then return fail('NODEST', destination) end
    named[destination] = nil
  else
    if destination == name then return fail('SELF', name) end
    if redis.call('EXISTS', k_queue(destination)) == 0 then return fail('NOQUEUE', destination) end
    if named[destination] then return fail('DESTEXISTS', destination) end
    named[destination] = true
    list[#list + 1] = destination
  end
end
local kept = {}
for _, destination in ipairs(list) do
  if named[destination] then kept[#kept + 1] = destination end
end
redis.call('HSET', k_queue(name), 'destinations', table.concat(kept, ','))
if row[2] == '1' then
  for _, rid in ipairs(redis.call('ZRANGE', k_in(name, 'QUEUED'), 0, -1)) do route(rid, name) end
  promote()
end
return 1
