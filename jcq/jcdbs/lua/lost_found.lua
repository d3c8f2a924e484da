-- Read the lost-and-found.
-- ARGV[1] since when, as ZRANGEBYSCORE has it
-- Returns a list of {rid, time found, {field, value, ...}}, the oldest first. Errors: none. Events: none.
local found = {}
local rows = redis.call('ZRANGEBYSCORE', 'jcq:lostfound', ARGV[1], '+inf', 'WITHSCORES')
for i = 1, #rows, 2 do
  found[#found + 1] = { rows[i], rows[i + 1], redis.call('HGETALL', k_lost(rows[i])) }
end
return found
