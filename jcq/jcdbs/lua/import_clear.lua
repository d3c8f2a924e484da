-- Forget what a conversion that was not completed has staged, a range of its numbers at a time.
-- Returns {first number, how many} of a range whose files may now be removed, or {} when nothing is left.
-- Errors: STALE. Events: none.
local err = stale_epoch()
if err then return err end
local range = redis.call('LPOP', 'jcq:import:ranges')
if range then
  local machine = redis.call('HGET', 'jcq:site', 'machine_id')
  local first, count = string.match(range, '^(%d+) (%d+)$')
  for seq = tonumber(first), tonumber(first) + tonumber(count) - 1 do
    redis.call('UNLINK', k_staged(machine .. '-' .. string.format('%.0f', seq)))
  end
  return { tonumber(first), tonumber(count) }
end
forget_import()
return {}
