-- Changes one of a hundred pools.
local count = 0
wrk.headers["Content-Type"] = "application/json"
request = function()
    count = count + 1
    local body = '{"metadata":{"labels":{"count":"' .. count .. '"}},"spec":{"remote":true}}'
    return wrk.format("PUT", "/api/v1/pools/p" .. (count % 100), nil, body)
end
