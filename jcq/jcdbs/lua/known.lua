-- Read whether anything of requests is known, so that their files are no rubbish.
-- ARGV[1..] rids, at most some hundred
-- Returns 1 or 0 for each: its record, its place in a list, or that it is lost. Errors: none. Events: none.
local queues, answer = redis.call('ZRANGE', 'jcq:queues', 0, -1), {}
for i, rid in ipairs(ARGV) do
  local found = redis.call('EXISTS', k_request(rid), k_lost(rid)) > 0
  if not found then
    for _, key in ipairs({ 'jcq:lostfound', 'jcq:waiting', 'jcq:done' }) do
      found = found or (redis.call('ZSCORE', key, rid) and true)
    end
    for _, queue in ipairs(queues) do
      for state in string.gmatch(STATES, '%S+') do
        found = found or (redis.call('ZSCORE', k_in(queue, state), rid) and true)
      end
      found = found or (redis.call('ZSCORE', k_promoted(queue), rid) and true)
    end
  end
  answer[i] = found and 1 or 0
end
return answer
