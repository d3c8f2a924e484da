-- Read one field of many requests, without the price of whole records.
-- ARGV[1] field   ARGV[2..] rids, at most some thousand
-- Returns a text for each, '' where the field or the request is missing. Errors: none. Events: none.
local found = {}
for i = 2, #ARGV do found[i - 1] = redis.call('HGET', k_request(ARGV[i]), ARGV[1]) or '' end
return found
