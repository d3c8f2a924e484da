-- Read every complex.
-- Returns a list of {name, run limit, queues, how many requests hold a slot in it}, by name. Errors: none. Events: none.
local found, names = {}, redis.call('SMEMBERS', 'jcq:complexes')
table.sort(names)
for _, name in ipairs(names) do
  local row, used = redis.call('HMGET', k_complex(name), 'run_limit', 'queues'), 0
  for queue in string.gmatch(row[2] or '', '[^,]+') do
    used = used + redis.call('ZCARD', k_promoted(queue)) + redis.call('ZCARD', k_in(queue, 'RUNNING'))
  end
  found[#found + 1] = { name, row[1] or '0', row[2] or '', used }
end
return found
