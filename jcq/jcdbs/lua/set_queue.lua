-- Change one attribute of a queue and let it take effect: stopping or a lower run limit takes waiting slots back,
-- starting a pipe queue routes what it holds.
-- ARGV[4] name   ARGV[5] field   ARGV[6] value, checked by the caller
-- Returns 1. Errors: STALE NOQUEUE BADVALUE. Events: jcq:wake, jcq:ended.
local err = stale_epoch()
if err then return err end
local name, field, value = ARGV[4], ARGV[5], ARGV[6]
local kind = redis.call('HGET', k_queue(name), 'type')
if not kind then return fail('NOQUEUE', name) end
if kind == 'PIPE' and (field == 'run_limit' or field == 'user_limit' or field == 'restart' or field == 'background'
  or field == 'limits') then
  return fail('BADVALUE', 'pipe queue ' .. name .. ' has no ' .. (field == 'background' and 'nqsbg' or field))
end
if field == 'destinations' then
  if kind ~= 'PIPE' then return fail('BADVALUE', 'batch queue ' .. name .. ' has no destinations') end
  for destination in string.gmatch(value, '[^,]+') do
    if redis.call('EXISTS', k_queue(destination)) == 0 then return fail('NOQUEUE', destination) end
  end
end
redis.call('HSET', k_queue(name), field, value)
if field == 'priority' then redis.call('ZADD', 'jcq:queues', -tonumber(value), name) end
if field == 'started' or field == 'run_limit' or field == 'user_limit' or field == 'priority' then demote_all(name) end
if field == 'user_limit' then index(name) end
if kind == 'PIPE' and redis.call('HGET', k_queue(name), 'started') == '1' then
  for _, rid in ipairs(redis.call('ZRANGE', k_in(name, 'QUEUED'), 0, -1)) do route(rid, name) end
end
promote()
return 1
