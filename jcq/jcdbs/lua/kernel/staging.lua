-- What spoolconv stages in the database before it becomes part of the site.

-- What a conversion of an old spool stages: its requests, and their places.
local function k_staged(rid) return 'jcq:import:request:' .. rid end
local function k_staged_in(queue, state) return 'jcq:import:in:' .. queue .. ':' .. state end

-- Whether another conversion than that of a token has begun: the error to return.
local function not_importing(token)
  local now = redis.call('HGET', 'jcq:import', 'token')
  if now and now ~= token then return fail('IMPORT', 'another one has begun') end
end

-- Forget everything staged but the requests themselves, whose numbers are in jcq:import:ranges.
local function forget_import()
  for _, set in ipairs(redis.call('SMEMBERS', 'jcq:import:sets')) do
    redis.call('UNLINK', k_staged_in(string.match(set, '^(%S+) (%S+)$')))
  end
  for _, kind in ipairs({ 'queue', 'complex' }) do
    local names = 'jcq:import:' .. kind .. (kind == 'queue' and 's' or 'es')
    for _, name in ipairs(redis.call('SMEMBERS', names)) do redis.call('DEL', 'jcq:import:' .. kind .. ':' .. name) end
    redis.call('DEL', names)
  end
  redis.call('UNLINK', 'jcq:import', 'jcq:import:sets', 'jcq:import:waiting', 'jcq:import:origins', 'jcq:import:oldids',
    'jcq:import:defaults', 'jcq:import:param', 'jcq:import:manager')
end
