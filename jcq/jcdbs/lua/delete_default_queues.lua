-- Delete the queues that a site was made with, whatever they have become, and its default queue: for a script that
-- configures a new site. Refused where the site has other queues, complexes, or requests.
-- ARGV[4..] names of those queues
-- Returns how many there were. Errors: STALE CONFIGURED NOTEMPTY. Events: jcq:wake.
local err = stale_epoch()
if err then return err end
local made_with = {}
for i = 4, #ARGV do made_with[ARGV[i]] = true end
local names = redis.call('ZRANGE', 'jcq:queues', 0, -1)
for _, name in ipairs(names) do
  if not made_with[name] then return fail('CONFIGURED', 'queue ' .. name) end
end
local complexes = redis.call('SMEMBERS', 'jcq:complexes')
table.sort(complexes)
if complexes[1] then return fail('CONFIGURED', 'complex ' .. complexes[1]) end
for _, name in ipairs(names) do
  if holds_requests(name) then return fail('NOTEMPTY', name) end
end
redis.call('HDEL', 'jcq:site', 'default_queue')
for _, name in ipairs(names) do remove_queue(name) end
return #names
