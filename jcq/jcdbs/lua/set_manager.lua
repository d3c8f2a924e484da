-- Make a user manager ('m') or operator ('o'), or take the right away ('').
-- ARGV[4] login name   ARGV[5] role
-- Returns 1. Errors: STALE BADVALUE (was none). Events: none.
local err = stale_epoch()
if err then return err end
if ARGV[5] == '' then
  if redis.call('HDEL', 'jcq:managers', ARGV[4]) == 0 then return fail('BADVALUE', ARGV[4] .. ' is no manager or operator') end
else
  redis.call('HSET', 'jcq:managers', ARGV[4], ARGV[5])
end
return 1
