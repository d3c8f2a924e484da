-- Keep a queue, a complex, a parameter or a manager of a conversion ready.
-- ARGV[4] token   ARGV[5] `queue`, `default` (a queue that takes the place of one the site was made with), `complex`, `param`
-- or `manager`   ARGV[6] name   ARGV[7..] field, value, ...; of a parameter or manager its value
-- Returns 1. Errors: STALE IMPORT. Events: none.
local err = stale_epoch() or not_importing(ARGV[4])
if err then return err end
local kind, name = ARGV[5], ARGV[6]
redis.call('HSET', 'jcq:import', 'token', ARGV[4])
if kind == 'param' or kind == 'manager' then
  redis.call('HSET', 'jcq:import:' .. kind, name, ARGV[7])
else
  if kind == 'default' then
    redis.call('SADD', 'jcq:import:defaults', name)
    kind = 'queue'
  end
  redis.call('SADD', 'jcq:import:' .. kind .. (kind == 'queue' and 's' or 'es'), name)
  redis.call('HSET', 'jcq:import:' .. kind .. ':' .. name, unpack(ARGV, 7))
end
return 1
