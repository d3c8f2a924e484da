-- Look whether requests stand where their records say; what is damaged goes into the lost-and-found, and a place that is
-- not a request's own is taken from it.
-- ARGV[4] key of the sorted set in which they were found, or '' where it was their records   ARGV[5] queue and
-- ARGV[6] state of that set; '' where it is of all queues   ARGV[7..] rids, at most some hundred
-- Returns how many were lost. Errors: STALE. Events: jcq:ended, jcq:wake.
local err = stale_epoch()
if err then return err end
local set, lost = ARGV[4], 0
for i = 7, #ARGV do
  local rid = ARGV[i]
  local state, queue = where(rid)
  if set == '' then
    if redis.call('EXISTS', k_request(rid)) == 1 and not stands(rid) and lose(rid, 'it stands in no list of the site') then
      lost = lost + 1
    end
  elseif state ~= ARGV[6] or not queue or (ARGV[5] ~= '' and queue ~= ARGV[5]) then
    -- It may have moved on since it was found there.
    local queued = ARGV[5] ~= '' and set == k_in(ARGV[5], 'QUEUED')
    local found = queued and leave(ARGV[5], rid) or not queued and redis.call('ZREM', set, rid) == 1
    if found and misplaced(rid) then lost = lost + 1 end
  end
end
if lost > 0 then promote() end
return lost
