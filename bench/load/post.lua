-- wrk: posts the same body again and again, and prints what came of it as JSON. Arguments: the file that holds the body, and where it
-- is a report, how many envelopes there are (r1, r2, ...), which take turns.

function init(arguments)
    local file = assert(io.open(arguments[1], "rb"))
    wrk.method = "POST"
    wrk.body = file:read("*a")
    wrk.headers["Content-Type"] = "application/json"
    if arguments[2] then
        local count, number = tonumber(arguments[2]), 0
        request = function()
            number = number % count + 1
            return wrk.format(nil, "/envelopes/r" .. number .. "/progress")
        end
    end
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "failures": %d, "seconds": %.3f, "p50": %.3f, "p99": %.3f}\n',
        summary.requests, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
