-- Change one parameter of the site, for instance its global run limit.
-- ARGV[4] name   ARGV[5] value, checked by the caller; '' removes it
-- Returns 1. Errors: STALE NOQUEUE. Events: jcq:wake.
local err = stale_epoch()
if err then return err end
if ARGV[4] == 'default_queue' and ARGV[5] ~= '' and redis.call('EXISTS', k_queue(ARGV[5])) == 0 then
  return fail('NOQUEUE', ARGV[5])
end
if ARGV[5] == '' then redis.call('HDEL', 'jcq:site', ARGV[4]) else redis.call('HSET', 'jcq:site', ARGV[4], ARGV[5]) end
if ARGV[4] == 'run_limit' then
  for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do demote_all(queue) end
  promote()
end
return 1
