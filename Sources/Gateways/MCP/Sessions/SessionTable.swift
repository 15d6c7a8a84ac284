internal import Envelopes
internal import EventLoops
internal import Synchronization
internal import Telemetry

/// The sessions of this gateway. Bounded in number, and each in the time that nobody uses it.
final class SessionTable: Sendable {
    private let sessions = Mutex<[String: Session]>([:])
    private let limit: Int
    private let idleLimit: Duration
    private let gauge: Gauge?

    /// - Parameter gauge: shows how many there are.
    init(limit: Int, idleLimit: Duration, gauge: Gauge? = nil) {
        self.limit = limit
        self.idleLimit = idleLimit
        self.gauge = gauge
    }

    var count: Int { sessions.withLock { $0.count } }

    /// - Returns: `nil` when there are too many, all of them in use.
    func open(
        _ version: ProtocolVersion, of owner: String?, _ catalogue: ToolCatalogue, now: MonotonicTime = .now
    ) -> Session? {
        let session = Session(id: Self.randomID(), owner: owner, version: version, catalogue)
        let (isOpen, ended) = sessions.withLock { sessions in
            var ended: [Session] = []
            if sessions.count >= limit {
                ended = sessions.values.filter { $0.idleTime(at: now) > idleLimit }
                for session in ended { sessions[session.id] = nil }
            }
            // The one that was used longest ago makes room: its client opens another when it comes back.
            if sessions.count >= limit,
                let oldest = sessions.values.max(by: { $0.idleTime(at: now) < $1.idleTime(at: now) }),
                oldest.idleTime(at: now) > .zero
            {
                sessions[oldest.id] = nil
                ended.append(oldest)
            }
            guard sessions.count < limit else { return (false, ended) }
            sessions[session.id] = session
            gauge?.set(sessions.count)
            return (true, ended)
        }
        for session in ended { session.close() }
        return isOpen ? session : nil
    }

    /// `nil` when there is none, or none any more, or it is somebody else's.
    /// - Parameter owner: the principal's id.
    func find(_ id: String, of owner: String?, now: MonotonicTime = .now) -> Session? {
        guard let session = sessions.withLock({ $0[id] }), session.owner == owner else { return nil }
        guard session.idleTime(at: now) <= idleLimit else {
            _ = close(id)
            return nil
        }
        session.use(at: now)
        return session
    }

    /// - Returns: whether there was such a session.
    func close(_ id: String) -> Bool {
        let removed = sessions.withLock { sessions in
            defer { gauge?.set(sessions.count) }
            return sessions.removeValue(forKey: id)
        }
        guard let session = removed else { return false }
        session.close()
        return true
    }

    /// 128 random bits.
    private static func randomID() -> String {
        var generator = SystemRandomNumberGenerator()
        return generator.next().hexadecimal + generator.next().hexadecimal
    }
}
