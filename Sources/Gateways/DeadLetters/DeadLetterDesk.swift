internal import Envelopes
internal import EventLoops
internal import Logging
internal import Telemetry
internal import Transports

/// What an operator can do with the dead letters of one actor.
struct DeadLetterDesk: Sendable {
    let queues: any DeadLetterQueues
    let transport: any Transport
    let publishTimeout: Duration
    /// `nil` where nothing is traced.
    var spans: MessageSpans?
    let logger: Logger

    enum Act: Sendable { case list, show, replay, purge }

    /// What was found, and done.
    struct Outcome: Sendable {
        /// Those that were meant, at most as many as were asked for.
        var entries: [Entry] = []
        /// Whether there may be more that were meant.
        var isMore = false
    }

    struct Entry: Sendable {
        var id: String
        var deadLetter: DeadLetter
        /// Of its body, in bytes.
        var size: Int
        /// To show; the bodies of many would not fit in memory.
        var body: [UInt8]?
        /// Why it could not be sent again; it is still in the dead letters then.
        var error: String?
    }

    private static let batch = 100

    /// Goes through an actor's dead letters and does the same with all that are meant.
    /// - Parameter limit: of those that are meant.
    /// - Returns: `nil` where the actor has no dead letters' queue.
    func go(
        through actor: String, _ filter: DeadLetterFilter, limit: Int, _ act: Act
    ) async throws(TransportError) -> Outcome? {
        guard let reader = try await queues.openDeadLetters(of: actor) else { return nil }
        do throws(TransportError) {
            let outcome = try await go(through: reader, actor, filter, limit: limit, act)
            await reader.close()
            return outcome
        } catch {
            await reader.close()
            throw error
        }
    }

    private func go(
        through reader: any DeadLetterReader, _ actor: String, _ filter: DeadLetterFilter, limit: Int, _ act: Act
    ) async throws(TransportError) -> Outcome {
        let now = Double(Timestamp.microsecondsNow()) / 1e6
        var outcome = Outcome()
        while true {
            let messages = try await reader.next(limit: Self.batch)
            if messages.isEmpty { return outcome }
            for message in messages where filter.matches(message, now: now) {
                if outcome.entries.count == limit {
                    outcome.isMore = true
                    return outcome
                }
                var entry = Entry(id: message.id, deadLetter: message.deadLetter, size: message.body.count)
                switch act {
                case .list: break
                case .show: entry.body = message.body
                case .replay:
                    entry.error = await replay(message, actor)
                    if entry.error == nil { try await reader.remove(message) }
                case .purge: try await reader.remove(message)
                }
                outcome.entries.append(entry)
            }
        }
    }

    /// The gateway's history is opened again before the message is on its way, and the dead letter goes when it is: what
    /// fails in between can be done again.
    /// - Returns: why it could not be sent.
    private func replay(_ message: DeadLetterMessage, _ actor: String) async -> String? {
        let start = MonotonicTime.now
        var (trace, parent): (TraceParent?, TraceParent?)
        do throws(TransportError) {
            var body = message.body
            // What is no envelope goes as it is: a newer sidecar may understand it.
            if var envelope = try? Envelope(parsing: message.body, limits: .ofBroker) {
                envelope.headers.replays += 1
                envelope.headers["troupe-attempts"] = nil
                if let deadline = envelope.deadline, deadline <= Timestamp.microsecondsNow() {
                    envelope.unknown.removeAll { $0.isNamed("deadline") }
                }
                parent = envelope.headers.traceparent
                trace = spans?.tracer.context(below: parent)
                if let trace { envelope.headers.traceparent = trace }
                body = envelope.encoded()
                try await report(reopened: envelope, at: actor)
                // Sidecars that have heard of a cancellation would end it again.
                let reminder = ControlMessage.uncancel([envelope.id])
                try await transport.publish(
                    Message(to: .control, id: "", body: reminder.encoded()), timeout: publishTimeout)
            }
            try await transport.publish(Message(to: .actor(actor), id: message.id, body: body), timeout: publishTimeout)
            if let trace {
                // It goes on in its own trace; the link leads to who has sent it again.
                spans?.published(
                    trace, below: parent, to: actor, id: message.id, bytes: body.count, since: start,
                    links: [RequestScope.current?.trace].compactMap(\.self))
            }
            logger.info("dead letter replayed", metadata: ["envelope_id": "\(message.id)", "actor": "\(actor)"])
            return nil
        } catch {
            logger.warning(
                "dead letter not replayed",
                metadata: ["envelope_id": "\(message.id)", "actor": "\(actor)", "error": "\(error)"])
            return error.message
        }
    }

    private func report(reopened envelope: Envelope, at actor: String) async throws(TransportError) {
        var report = StatusReport(
            .reopened, of: envelope, eventID: "\(envelope.id)/\(envelope.headers.replays)/reopened",
            status: EnvelopeStatus.running.rawValue)
        report.message = "Sent again from the dead letters of '\(actor)'"
        try await transport.publish(Message(report), timeout: publishTimeout)
    }
}
