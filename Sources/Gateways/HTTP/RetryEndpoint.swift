internal import Envelopes
internal import EventLoops
internal import Hummingbird
internal import Transports

extension GatewayRouter {
    /// `POST /envelopes/{id}/retry {"from"?}`
    func retryEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        let members = try await reading.membersIfAny(of: request)
        if let member = members.first(where: { !$0.isNamed("from") }) {
            throw Problem(
                .invalidRequest, "'\(member.name ?? "")' is not known here; 'from' is", at: "/\(member.name ?? "")")
        }
        var start = Retry.Start.failedStep
        if let name = try members.string("from") {
            guard let named = Retry.Start(rawValue: name) else {
                let known = Retry.Start.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem(.invalidRequest, "'from' must be one of: \(known)", at: "/from")
            }
            start = named
        }
        return try await response(retry(id, from: start), status: .accepted)
    }

    /// Sends an envelope on its way again that has failed or was cancelled. When this returns, that is in the database.
    /// - Returns: the envelope as it is then.
    func retry(_ id: String, from start: Retry.Start) async throws -> EnvelopeRecord {
        guard let known = try await store.retryable(id) else { throw unknownEnvelope(id) }
        switch try Retry.plan(known, from: start, now: Timestamp.microsecondsNow()) {
        case .replayDeadLetter(let actor): try await replayDeadLetter(id, of: actor)
        case .send(let envelope):
            try gate.enter(1)
            // Sidecars that have heard of a cancellation, its own or its parent's, would end it again.
            try await transport.publish(
                Message(to: .control, id: "", body: ControlMessage.uncancel([id]).encoded()),
                timeout: desk.publishTimeout)
            let actor = envelope.route.currentActor ?? ""
            let rowID = try await store.reopen(
                with: envelope, message: "Sent again to actor '\(actor)'", grace: outboxGrace)
            guard let rowID else {
                throw Problem(.notRetryable, "envelope '\(id)' was sent again or deleted by somebody else just now")
            }
            outbox.offer(
                OutboxMessage(
                    rowID: rowID, envelopeID: id, actor: actor,
                    body: Envelope.message(envelope.head, envelope.payload), attempts: 0))
            // What lay there of the last run must not be replayed beside this one.
            if let actor = known.deadLetterActor {
                _ = try? await desk.go(through: actor, DeadLetterFilter(ids: [id]), limit: 100, .purge)
            }
        }
        guard let envelope = try await store.envelope(id) else { throw unknownEnvelope(id) }
        return envelope
    }

    private func replayDeadLetter(_ id: String, of actor: String) async throws {
        let outcome = try await desk.go(through: actor, DeadLetterFilter(ids: [id]), limit: 1, .replay)
        guard let entry = outcome?.entries.first else {
            throw Problem(
                .notRetryable,
                "envelope '\(id)' is not in the dead letters of '\(actor)' any more; retry it from the start")
        }
        if let error = entry.error { throw Problem(.overloaded, "the dead letter could not be sent: \(error)") }
    }
}
