-- Reads one of a hundred pools.
local count = 0
request = function()
    count = count + 1
    return wrk.format("GET", "/api/v1/pools/p" .. (count % 100))
end
