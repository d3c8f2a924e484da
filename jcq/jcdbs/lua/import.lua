-- Make everything that a conversion has staged part of the site, in one step: queues, complexes, parameters, managers and
-- requests. One script is one transaction of the append-only file, so after a crash there is all of it or nothing.
-- ARGV[4] token   ARGV[5] how many requests were staged   ARGV[6] the site's sequence number is to be this at least
-- ARGV[7] what is kept about the conversion in jcq:imports
-- Returns 1; also where this conversion is complete already. Errors: STALE IMPORT QUEUEEXISTS COMPLEXEXISTS NOQUEUE
-- CONFIGURED (a queue the site was made with has been used meanwhile) BADVALUE. Events: jcq:wake, jcq:ended.
local err = stale_epoch()
if err then return err end
local token = ARGV[4]
if redis.call('HEXISTS', 'jcq:imports', token) == 1 then return 1 end
if redis.call('HGET', 'jcq:import', 'token') ~= token then
  return fail('IMPORT', 'nothing is staged for this one')
end
local queues, complexes = redis.call('SMEMBERS', 'jcq:import:queues'), redis.call('SMEMBERS', 'jcq:import:complexes')
local sets, staged, count = redis.call('SMEMBERS', 'jcq:import:sets'), {}, 0
table.sort(queues)
table.sort(complexes)
table.sort(sets)
for _, name in ipairs(queues) do
  staged[name] = true
  if redis.call('SISMEMBER', 'jcq:import:defaults', name) == 1 then
    if holds_requests(name) or redis.call('HGET', 'jcq:site', 'seq') ~= '0' then return fail('CONFIGURED', 'requests') end
  elseif redis.call('EXISTS', k_queue(name)) == 1 then
    return fail('QUEUEEXISTS', name)
  end
end
local function known(name) return staged[name] or redis.call('EXISTS', k_queue(name)) == 1 end
for _, name in ipairs(queues) do
  for destination in string.gmatch(redis.call('HGET', 'jcq:import:queue:' .. name, 'destinations') or '', '[^,]+') do
    if not known(destination) then return fail('NOQUEUE', destination) end
  end
end
for _, name in ipairs(complexes) do
  if redis.call('EXISTS', k_complex(name)) == 1 then return fail('COMPLEXEXISTS', name) end
  for queue in string.gmatch(redis.call('HGET', 'jcq:import:complex:' .. name, 'queues') or '', '[^,]+') do
    if not known(queue) then return fail('NOQUEUE', queue) end
  end
end
local default = redis.call('HGET', 'jcq:import:param', 'default_queue')
if default and default ~= '' and not known(default) then return fail('NOQUEUE', default) end
for _, set in ipairs(sets) do
  local queue, state = string.match(set, '^(%S+) (%S+)$')
  if not known(queue) then return fail('NOQUEUE', queue) end
  if not may('submit', NOWHERE, state) then return fail('BADVALUE', 'state ' .. state) end
  for _, rid in ipairs(redis.call('ZRANGE', k_staged_in(queue, state), 0, -1)) do
    count = count + 1
    if redis.call('EXISTS', k_staged(rid)) == 0 then return fail('BADVALUE', 'request ' .. rid .. ' is not staged') end
    if redis.call('EXISTS', k_request(rid)) == 1 then return fail('BADVALUE', 'request ' .. rid .. ' exists already') end
  end
end
if count ~= tonumber(ARGV[5]) then return fail('BADVALUE', count .. ' requests are staged, not ' .. ARGV[5]) end

for _, name in ipairs(queues) do
  local fields = redis.call('HGETALL', 'jcq:import:queue:' .. name)
  redis.call('HSET', k_queue(name), unpack(fields))
  local row = redis.call('HMGET', k_queue(name), 'type', 'priority')
  redis.call('ZADD', 'jcq:queues', -tonumber(row[2]), name)
  if row[1] == 'BATCH' then redis.call('SADD', 'rq:queues', rq_list(name)) end
  demote_all(name)
end
for _, name in ipairs(complexes) do
  redis.call('RENAME', 'jcq:import:complex:' .. name, k_complex(name))
  redis.call('SADD', 'jcq:complexes', name)
  for queue in string.gmatch(redis.call('HGET', k_complex(name), 'queues') or '', '[^,]+') do
    local before = redis.call('HGET', k_queue(queue), 'complexes') or ''
    redis.call('HSET', k_queue(queue), 'complexes', before == '' and name or before .. ',' .. name)
  end
end
local function merge(from, to)
  local flat = redis.call('HGETALL', from)
  for i = 1, #flat, 1000 do redis.call('HSET', to, unpack(flat, i, math.min(i + 999, #flat))) end
end
local params, managers = redis.call('HGETALL', 'jcq:import:param'), redis.call('HGETALL', 'jcq:import:manager')
for i = 1, #params, 2 do
  if params[i + 1] == '' then
    redis.call('HDEL', 'jcq:site', params[i])
  else
    redis.call('HSET', 'jcq:site', params[i], params[i + 1])
  end
end
for i = 1, #managers, 2 do redis.call('HSETNX', 'jcq:managers', managers[i], managers[i + 1]) end
if redis.call('HEXISTS', 'jcq:import:param', 'run_limit') == 1 then
  for _, name in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do demote_all(name) end
end
local filled = {}
for _, set in ipairs(sets) do
  local queue, state = string.match(set, '^(%S+) (%S+)$')
  local from, to = k_staged_in(queue, state), k_in(queue, state)
  for _, rid in ipairs(redis.call('ZRANGE', from, 0, -1)) do redis.call('RENAME', k_staged(rid), k_request(rid)) end
  redis.call('ZUNIONSTORE', to, 2, to, from)
  if state == 'QUEUED' then filled[queue] = true end
end
if redis.call('EXISTS', 'jcq:import:waiting') == 1 then
  redis.call('ZUNIONSTORE', 'jcq:waiting', 2, 'jcq:waiting', 'jcq:import:waiting')
end
if count > 0 then
  merge('jcq:import:origins', 'jcq:origins')
  redis.call('ZUNIONSTORE', 'jcq:oldids', 2, 'jcq:oldids', 'jcq:import:oldids')
end
if tonumber(ARGV[6]) > tonumber(redis.call('HGET', 'jcq:site', 'seq') or '0') then
  redis.call('HSET', 'jcq:site', 'seq', ARGV[6])
end
redis.call('HSET', 'jcq:imports', token, ARGV[7])
for _, name in ipairs(queues) do filled[name] = true end
for _, name in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
  if filled[name] then
    index(name)
    local row = redis.call('HMGET', k_queue(name), 'type', 'started')
    if row[1] == 'PIPE' and row[2] == '1' then
      for _, rid in ipairs(redis.call('ZRANGE', k_in(name, 'QUEUED'), 0, -1)) do route(rid, name) end
    end
  end
end
redis.call('DEL', 'jcq:import:ranges')
forget_import()
promote()
redis.call('PUBLISH', 'jcq:wake', 'queues')
return 1
