-- Add managers and operators, take their rights away, or replace them all; all of those named or none.
-- ARGV[4] add, delete or set   ARGV[5..] login name, role ('m' or 'o'), ...
-- Returns 1. Errors: STALE NOMANAGER (delete: has not that role). Events: none.
local err = stale_epoch()
if err then return err end
local mode = ARGV[4]
if mode == 'delete' then
  for i = 5, #ARGV, 2 do
    if redis.call('HGET', 'jcq:managers', ARGV[i]) ~= ARGV[i + 1] then return fail('NOMANAGER', ARGV[i] .. ':' .. ARGV[i + 1]) end
  end
end
if mode == 'set' then redis.call('DEL', 'jcq:managers') end
for i = 5, #ARGV, 2 do
  if mode == 'delete' then
    redis.call('HDEL', 'jcq:managers', ARGV[i])
  else
    redis.call('HSET', 'jcq:managers', ARGV[i], ARGV[i + 1])
  end
end
return 1
