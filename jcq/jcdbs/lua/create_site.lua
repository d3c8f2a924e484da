-- Give an empty database its schema and the site's identity.
-- ARGV[4] schema   ARGV[5..] field, value, ... of jcq:site
-- Returns 1. Errors: BADVALUE (the database is not empty). Events: none.
if redis.call('EXISTS', 'jcq:site') == 1 then return fail('BADVALUE', 'the database holds a site already') end
local fields = {}
for i = 5, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('SET', 'jcq:epoch', ARGV[1])
redis.call('HSET', 'jcq:site', 'schema', ARGV[4], 'seq', '0', unpack(fields))
return 1
