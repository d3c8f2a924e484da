-- Put a damaged request into the lost-and-found; a slot that it had goes to the next one.
-- ARGV[4] rid   ARGV[5] reason, in words   ARGV[6] '1': also where nothing but its script is known
-- Returns 1, or 0 where there was nothing of it. Errors: STALE. Events: jcq:ended, jcq:wake.
local err = stale_epoch()
if err then return err end
local lost = lose(ARGV[4], ARGV[5])
if not lost and ARGV[6] == '1' then
  redis.call('HSET', k_lost(ARGV[4]), 'lost_reason', ARGV[5])
  redis.call('ZADD', 'jcq:lostfound', ARGV[2], ARGV[4])
  lost = true
end
promote()
return lost and 1 or 0
