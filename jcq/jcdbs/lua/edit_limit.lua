-- Change one resource limit of a batch queue; the requests that are in it keep what they have.
-- ARGV[4] queue   ARGV[5] name of the limit   ARGV[6] VALUE or VALUE:WARNING as it is stored, checked by the caller; '' takes it away
-- Returns 1. Errors: STALE NOQUEUE BADVALUE (a pipe queue). Events: none.
local err = stale_epoch()
if err then return err end
local queue, wanted = ARGV[4], ARGV[5]
local row = redis.call('HMGET', k_queue(queue), 'type', 'limits')
if not row[1] then return fail('NOQUEUE', queue) end
if row[1] == 'PIPE' then return fail('BADVALUE', 'pipe queue ' .. queue .. ' has no resource limits') end
local words = {}
for name in string.gmatch(LIMITS, '([%w_]+):') do
  local value = string.match(' ' .. (row[2] or ''), ' ' .. name .. '=(%S+)')
  if name == wanted then value = ARGV[6] ~= '' and ARGV[6] or nil end
  if value then words[#words + 1] = name .. '=' .. value end
end
redis.call('HSET', k_queue(queue), 'limits', table.concat(words, ' '))
return 1
