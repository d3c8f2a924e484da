-- Change who may submit to a queue; requests that are in it stay. All those named are added or deleted, or none.
-- ARGV[4] queue   ARGV[5] users or groups, with ARGV[6] add or delete and ARGV[7..] name:id, ...; none: the queue accepts
-- nobody; all: it accepts everyone
-- Returns 1. Errors: STALE NOQUEUE UNRESTRICTED ACCESSEXISTS NOACCESSNOW. Events: none.
local err = stale_epoch()
if err then return err end
local name, kind, mode = ARGV[4], ARGV[5], ARGV[6]
if redis.call('EXISTS', k_queue(name)) == 0 then return fail('NOQUEUE', name) end
if kind == 'none' or kind == 'all' then
  redis.call('HSET', k_queue(name), 'restricted', kind == 'none' and '1' or '0', 'users', '', 'groups', '')
  return 1
end
local row = redis.call('HMGET', k_queue(name), 'restricted', kind)
if row[1] ~= '1' then return fail('UNRESTRICTED', name) end
local list, listed = {}, {}
for entry in string.gmatch(row[2] or '', '[^,]+') do
  list[#list + 1] = entry
  listed[entry] = true
end
for i = 7, #ARGV do
  local entry = ARGV[i]
  local shown = string.match(entry, '^(.*):') or entry
  if mode == 'add' then
    if listed[entry] then return fail('ACCESSEXISTS', shown) end
    list[#list + 1] = entry
    listed[entry] = true
  else
    -- By its name: the account may be gone.
    local found = nil
    for _, known in ipairs(list) do
      if listed[known] and string.match(known, '^(.*):') == shown then found = known end
    end
    if not found then return fail('NOACCESSNOW', shown) end
    listed[found] = nil
  end
end
local kept = {}
for _, entry in ipairs(list) do
  if listed[entry] then kept[#kept + 1] = entry end
end
redis.call('HSET', k_queue(name), kind, table.concat(kept, ','))
return 1
