internal import Synchronization
internal import Telemetry

/// How many streams are open: of each caller, and in all.
final class StreamLimiter: Sendable {
    private let limit: Int
    private let callerLimit: Int
    private let gauge: Gauge
    private let open = Mutex(Open())

    private struct Open {
        var count = 0
        var ofCaller: [String: Int] = [:]
    }

    /// - Parameters:
    ///   - limit: of all together.
    ///   - callerLimit: for callers that have no limit of their own.
    init(limit: Int, callerLimit: Int, gauge: Gauge) {
        self.limit = limit
        self.callerLimit = callerLimit
        self.gauge = gauge
    }

    /// The place is free again when nobody holds the slot any more.
    func slot(for principal: Principal) throws(Problem) -> StreamSlot {
        try open.withLock { (open) throws(Problem) in
            if let id = principal.id, open.ofCaller[id, default: 0] >= principal.streams ?? callerLimit {
                throw Self.problem(.tooManyStreams, "this caller has as many open streams as it may have")
            }
            guard open.count < limit else {
                throw Self.problem(.streamsExhausted, "this gateway has as many open streams as it can have")
            }
            open.count += 1
            if let id = principal.id { open.ofCaller[id, default: 0] += 1 }
        }
        gauge.add(1)
        return StreamSlot { [self] in release(principal.id) }
    }

    private func release(_ id: String?) {
        open.withLock { open in
            open.count -= 1
            guard let id, let count = open.ofCaller[id] else { return }
            open.ofCaller[id] = count > 1 ? count - 1 : nil
        }
        gauge.add(-1)
    }

    private static func problem(_ code: ErrorCode, _ detail: String) -> Problem {
        Problem(code, detail, retryAfter: 5)
    }
}

/// An open stream's place. Held by the response's body: however that ends, written or not, the place is freed.
final class StreamSlot: Sendable {
    private let release: @Sendable () -> Void

    fileprivate init(_ release: @escaping @Sendable () -> Void) { self.release = release }

    deinit { release() }
}
