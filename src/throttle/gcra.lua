-- The throttle's decision about the quotas of one key: read, decide and write in one step, by the server's time.
-- It decides what `gcra::decide_all` decides. For Redis from version 5, which writes after reading its clock.
--
-- KEYS[1]   the throttle key
-- ARGV[1]   empty; a test puts a time here, in place of the server's
-- ARGV[2]   the cells that are asked for
-- ARGV[3]   how far clocks differ at most
-- ARGV[4..] for each quota, by ascending period: its period in seconds; its burst; its emission interval; what its
--           burst takes to drain; what the cells that are asked for take to drain; the greatest burst that any plan
--           has, 0 if that is not known; and the longest backlog that charging alone can leave
--
-- Answers with whole numbers: the time of the decision; the verdict (0 allowed, 1 exceeded, 2 more than the burst);
-- and each quota's backlog. Times and backlogs are two numbers each, seconds and nanoseconds.
--
-- Numbers are doubles here and hold 53 bits, where nanoseconds since the epoch take more. So a time is a pair: whole
-- seconds, rounded down, and the nanoseconds after them; as a text "1767225600.000000000". The key holds
-- "period:arrival:interval" for each state, with spaces in between.

local BILLION = 1000000000
local ZERO, NANOSECOND = {0, 0}, {0, 1}
-- What 64 bits hold of nanoseconds. Sums stop there, as they do in the library.
local LEAST, MOST = {-9223372037, 145224192}, {9223372036, 854775807}
-- 400 days: no quota takes longer to drain. No backlog lasts beyond `LAST`.
local LONGEST_WINDOW = {34560000, 0}
local LAST = {9188812036, 854775807}

local function less(a, b)
    return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
end

local function lesser(a, b)
    if less(b, a) then return b end
    return a
end

local function plus(a, b)
    local seconds, nanos = a[1] + b[1], a[2] + b[2]
    if nanos >= BILLION then seconds, nanos = seconds + 1, nanos - BILLION end
    return lesser({seconds, nanos}, MOST)
end

local function minus(a, b)
    local seconds, nanos = a[1] - b[1], a[2] - b[2]
    if nanos < 0 then seconds, nanos = seconds - 1, nanos + BILLION end
    return lesser({seconds, nanos}, MOST)
end

-- `count * (quotient + rest / divisor)`, again as a quotient and a rest, by doubling: no number here grows beyond a
-- few times what goes in, so each step is exact.
local function times(count, quotient, rest, divisor)
    local seconds, nanos = count[1], count[2]
    local product, left = ZERO, ZERO
    while seconds > 0 or nanos > 0 do
        local is_odd = nanos % 2 == 1 -- a second is an even number of nanoseconds
        if is_odd then
            product, left = plus(product, quotient), plus(left, rest)
            if not less(left, divisor) then product, left = plus(product, NANOSECOND), minus(left, divisor) end
        end
        quotient, rest = plus(quotient, quotient), plus(rest, rest)
        if not less(rest, divisor) then quotient, rest = plus(quotient, NANOSECOND), minus(rest, divisor) end
        nanos = math.floor(nanos / 2) + (seconds % 2) * (BILLION / 2)
        seconds = math.floor(seconds / 2)
    end
    return product, left
end

-- `ceil(span * numerator / divisor)`.
local function scale_up(span, numerator, divisor)
    local quotient, rest = times(numerator, ZERO, NANOSECOND, divisor)
    local scaled, left = times(span, quotient, rest, divisor)
    if less(ZERO, left) then return plus(scaled, NANOSECOND) end
    return scaled
end

local function parse(text)
    local seconds, nanos = string.match(text, '^(-?%d+)%.(%d%d%d%d%d%d%d%d%d)$')
    local time = seconds and {tonumber(seconds), tonumber(nanos)}
    if not time or less(time, LEAST) or less(MOST, time) then return nil end
    return time
end

local function format(time)
    return string.format('%.0f.%09.0f', time[1], time[2])
end

-- The states, or nil if the text is not one that was written here.
local function read(text)
    local states, seen = {}, {}
    for part in string.gmatch(text, '[^ ]+') do
        local period, arrival, interval = string.match(part, '^(%d+):([^:]+):([^:]+)$')
        if not period then return nil end
        local state = {period = tonumber(period), arrival = parse(arrival), interval = parse(interval)}
        if not state.arrival or not state.interval or state.period < 1 or state.period > 4294967295
            or seen[state.period] or #states == 4 then
            return nil
        end
        seen[state.period] = true
        states[#states + 1] = state
    end
    if #states == 0 then return nil end
    return states
end

local now = ARGV[1] ~= '' and parse(ARGV[1])
if not now then
    local clock = redis.call('TIME')
    now = {tonumber(clock[1]), tonumber(clock[2]) * 1000}
end
local cells, skew = tonumber(ARGV[2]), parse(ARGV[3])
local quotas = {}
for i = 4, #ARGV, 7 do
    quotas[#quotas + 1] = {
        period = tonumber(ARGV[i]), burst = tonumber(ARGV[i + 1]), interval = parse(ARGV[i + 2]),
        window = parse(ARGV[i + 3]), charge = parse(ARGV[i + 4]),
        greatest_burst = tonumber(ARGV[i + 5]), longest = parse(ARGV[i + 6]),
    }
end

-- What is stored but cannot be read, of another type even, is taken as corrupt states: full of the greatest burst, and
-- written over. So it neither fails for ever nor refills anything.
local stored = redis.pcall('GET', KEYS[1])
if type(stored) == 'table' and not string.find(stored.err, 'WRONGTYPE', 1, true) then return stored end
local states = {}
if stored then
    states = type(stored) == 'string' and read(stored)
    if not states then
        states = {}
        for i, quota in ipairs(quotas) do
            states[i] = {period = quota.period, arrival = MOST, interval = ZERO}
        end
    end
end

-- A state belongs to the quota of the same period. A quota without one takes over that of the shortest period that no
-- quota claims.
for _, quota in ipairs(quotas) do
    for _, state in ipairs(states) do
        if state.period == quota.period then quota.state, state.is_claimed = state, true end
    end
end
for _, quota in ipairs(quotas) do
    local shortest = nil
    if not quota.state then
        for _, state in ipairs(states) do
            if not state.is_claimed and (not shortest or state.period < shortest.period) then shortest = state end
        end
    end
    if shortest then
        shortest.period, shortest.is_claimed = quota.period, true
        quota.state = shortest
    end
end

-- The backlog of a state of another interval, or of one that is longer than the quota's own burst explains.
local function mended(quota, backlog, interval)
    if less(interval, NANOSECOND) or less(LONGEST_WINDOW, interval) then return quota.longest, true end
    local longest = LONGEST_WINDOW
    if quota.greatest_burst > 0 then
        local burst = {math.floor(quota.greatest_burst / BILLION), quota.greatest_burst % BILLION}
        longest = times(burst, interval, ZERO, NANOSECOND)
    end
    local is_corrupt = less(plus(longest, skew), backlog)
    local owed = lesser(backlog, longest)
    -- What exceeds the longest backlog is the difference of two clocks: time, and not cells to be repriced.
    local ahead = is_corrupt and ZERO or minus(backlog, owed)
    if interval[1] == quota.interval[1] and interval[2] == quota.interval[2] then
        return plus(owed, ahead), is_corrupt
    end
    local repriced = lesser(scale_up(owed, quota.interval, interval), quota.longest)
    return plus(repriced, ahead), true
end

local verdict = 0
for _, quota in ipairs(quotas) do
    local state = quota.state
    quota.backlog, quota.must_store = ZERO, false
    if state and less(now, state.arrival) then
        quota.backlog = minus(state.arrival, now)
        local is_own = state.interval[1] == quota.interval[1] and state.interval[2] == quota.interval[2]
        if not is_own or less(quota.window, quota.backlog) then
            quota.backlog, quota.must_store = mended(quota, quota.backlog, state.interval)
            quota.backlog = lesser(quota.backlog, minus(LAST, now))
        end
    end
    if cells > quota.burst then
        verdict = 2
    elseif verdict == 0 and less(quota.window, plus(quota.backlog, quota.charge)) then
        verdict = 1
    end
end

-- All are charged, or none is. A state that was put right is written after a refusal too.
local answer = {now[1], now[2], verdict}
local must_store = false
for _, quota in ipairs(quotas) do
    if verdict == 0 then quota.backlog, quota.must_store = plus(quota.backlog, quota.charge), true end
    if quota.must_store then
        if not quota.state then
            quota.state = {period = quota.period}
            states[#states + 1] = quota.state
        end
        quota.state.arrival, quota.state.interval = plus(now, quota.backlog), quota.interval
        must_store = true
    end
    answer[#answer + 1] = quota.backlog[1]
    answer[#answer + 1] = quota.backlog[2]
end

if must_store then
    local parts, last = {}, now
    for i, state in ipairs(states) do
        parts[i] = string.format('%.0f:', state.period) .. format(state.arrival) .. ':' .. format(state.interval)
        if less(last, state.arrival) then last = state.arrival end
    end
    -- The key goes when everything has drained, on a clock too that is behind by the skew.
    local life = plus(minus(last, now), skew)
    local millis = math.max(1, life[1] * 1000 + math.ceil(life[2] / 1000000))
    redis.call('SET', KEYS[1], table.concat(parts, ' '), 'PX', string.format('%.0f', millis))
end
return answer
