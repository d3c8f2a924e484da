-- Begin a run of the site: the epoch grows, no worker is registered, nothing is promoted, rq's lists and registries of
-- work in progress are empty. What was RUNNING is left for recover.lua.
-- ARGV[1] the new epoch
-- Returns 1. Errors: EMPTY (a server that came up without its data) STALE (not newer) SCHEMA (newer than ARGV[4]). Events: none.
local before = tonumber(redis.call('GET', 'jcq:epoch') or '')
if not before or redis.call('EXISTS', 'jcq:site') == 0 then return fail('EMPTY', '') end
if tonumber(ARGV[1]) <= before then return fail('STALE', ARGV[1] .. ', now ' .. before) end
local schema = tonumber(redis.call('HGET', 'jcq:site', 'schema') or '') or 0
if schema > tonumber(ARGV[4]) then return fail('SCHEMA', tostring(schema)) end
redis.call('SET', 'jcq:epoch', ARGV[1])
redis.call('DEL', 'jcq:worker', 'jcq:kills')
for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
  demote_all(queue)
  redis.call('DEL', rq_list(queue), 'rq:wip:' .. queue, 'rq:workers:' .. queue)
end
redis.call('DEL', 'jcq:slots')
for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do index(queue) end
for _, worker in ipairs(redis.call('SMEMBERS', 'rq:workers')) do
  redis.call('DEL', worker, worker .. ':executions')
end
redis.call('DEL', 'rq:workers')
return 1
