internal import Envelopes
internal import EventLoops
internal import Logging
internal import Transports

/// Makes sure that dead letters of which we get a notice lie in their queue. Where that was deleted, the broker has confirmed them into the
/// queue of the notices alone: what we would acknowledge is the only copy.
actor DeadLetterRescue {
    private let queues: any DeadLetterQueues
    private let transport: any Transport
    private let logger: Logger
    private var visits: [String: Visit] = [:]

    private struct Visit {
        var time = MonotonicTime.now
        /// Notices that wait are from before the queue was made again. `nil`: it was there.
        var rescued: Set<Int>?
    }

    /// A look takes a connection: one for each actor in this time.
    private static let interval = Duration.seconds(60)
    private static let rescuedLimit = 100_000

    init(queues: any DeadLetterQueues, transport: any Transport, logger: Logger) {
        self.queues = queues
        self.transport = transport
        self.logger = logger
    }

    /// Returns when the broker has them safe, however long that takes.
    /// - Returns: false when the task was cancelled before.
    func keep(_ notices: [Delivery]) async -> Bool {
        var backoff = Backoff()
        var rest = notices[...]
        while let notice = rest.first {
            if Task.isCancelled { return false }
            do throws(TransportError) {
                try await keep(notice)
                rest.removeFirst()
                backoff.reset()
            } catch {
                logger.warning("notices of dead letters wait for the broker", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: backoff.next())
            }
        }
        return true
    }

    private func keep(_ notice: Delivery) async throws(TransportError) {
        guard let letter = notice.deadLetter else { return }
        let visit = try await visit(letter.actor)
        // What we send brings a notice of its own.
        guard let rescued = visit.rescued, !rescued.contains(notice.body.hashValue) else { return }
        let id = (try? Envelope(parsing: notice.body, limits: .ofBroker))?.id ?? ""
        let destination = Message.Destination.deadLetters(actor: letter.actor, reason: letter.reason)
        try await transport.publish(Message(to: destination, id: id, body: notice.body), timeout: .seconds(10))
        if rescued.count >= Self.rescuedLimit { visits[letter.actor]?.rescued = [] }
        visits[letter.actor]?.rescued?.insert(notice.body.hashValue)
    }

    private func visit(_ actor: String) async throws(TransportError) -> Visit {
        if let visit = visits[actor], visit.time.duration(to: .now) < Self.interval { return visit }
        var visit = Visit()
        if let reader = try await queues.openDeadLetters(of: actor) {
            await reader.close()
        } else {
            logger.error("the queue of dead letters is gone, and is made again", metadata: ["actor": "\(actor)"])
            await transport.declare(.actor(actor))
            visit.rescued = []
        }
        visits[actor] = visit
        return visit
    }
}
