public import Envelopes
public import EventLoops
internal import Faults
public import Transports

/// Decides what happens to one delivery, from its arrival to its settlement. Pure: events in, the next action out.
///
/// The delivery is settled only when everything that it caused is confirmed. Until then any failure ends in one of
/// three ways: the same thing is tried again, an error envelope takes the message's place, or the delivery is left to
/// the broker, which has put it back into its queue already.
public struct DeliveryMachine: Sendable {
    public enum Action: Sendable {
        /// Wait, tell the reports (nobody waits for those), then hand the body to the runtime.
        case call(reports: [StatusReport], after: Duration)
        /// Wait, then send all of these and wait for what becomes of each.
        case send([Outgoing], after: Duration)
        case settle(Settlement)
        /// The delivery is the broker's again; there is nothing left to do.
        case abandon
    }

    /// One thing that must be confirmed before the delivery is settled.
    public enum Outgoing: Sendable {
        /// A message that holds an envelope, with the context of its span where it is traced. An error envelope takes its
        /// place when no queue wants it.
        case envelope(Message, TraceParent?)
        /// A message as it came.
        case message(Message)
        case report(StatusReport)

        var message: Message? {
            switch self {
            case .envelope(let message, _), .message(let message): message
            case .report: nil
            }
        }

        /// The envelope that is within, read again: only where something has gone wrong.
        func envelopeWithin(_ limits: JSONLimits) -> Envelope? {
            guard case .envelope(let message, _) = self else { return nil }
            return try? Envelope(parsing: message.body, limits: limits.ofErrorEnvelopes)
        }
    }

    /// For the metrics.
    public enum Outcome: Sendable, Hashable {
        case success, emptyResponse, endConsumed
        /// It failed here and is tried here again, later.
        case retried
        /// It is back in its queue, with its count.
        case counted
        case failed(FailureReason)
    }

    public enum FailureReason: String, Sendable, Hashable, CaseIterable {
        case parseError = "parse_error"
        case validationError = "validation_error"
        case routeMismatch = "route_mismatch"
        case runtimeError = "runtime_error"
        case routingError = "routing_error"
        case transportError = "transport_error"
        case deadlineExceeded = "deadline_exceeded"
        case cancelled
        case deliveryLimit = "delivery_limit"
    }

    let policy: DeliveryPolicy
    /// Empty when it is not needed any more: a large one is not to be kept until the broker has confirmed what came of it.
    private(set) var body: [UInt8]
    /// Bytes of the body that came.
    let size: Int
    private let surroundings: DeliverySurroundings
    private let uncountedDeliveries: Int?
    private let publishedAt: Int?
    /// `nil` until it has been read.
    public private(set) var envelope: Envelope?
    private(set) var calledAt = MonotonicTime.now
    /// Of this envelope at this actor, from 1.
    private(set) var attempt = 1
    /// Microseconds since 1970; `nil` where there is none, or what has ended is only closed.
    private var deadline: Int64?
    /// Calls of this delivery that ended without an answer, or that an end actor failed.
    private var calls = 0
    /// Sends that found no queue for some message.
    private var unroutableAttempts = 0
    private var callBackoff = Backoff(initial: .milliseconds(200), ceiling: .seconds(10))
    private var sendBackoff = Backoff(initial: .milliseconds(100), ceiling: .seconds(10))
    private var pending: [Outgoing] = []
    /// To be sent when all of that is confirmed.
    private var afterwards: [Outgoing] = []

    public private(set) var outcome: Outcome?
    /// The handler's error code, where there was one.
    public private(set) var errorCode: String?
    /// Why the last call did not end well: the type of the handler's error, or a word.
    private(set) var callError: String?
    /// The context of the delivery's span; `nil` where it is not traced.
    private(set) var trace: TraceParent?
    /// As it stands in the message, where the delivery is traced.
    private(set) var traceParent: TraceParent?
    /// The runtime hangs: when the delivery is settled, its process must be replaced.
    public private(set) var runtimeHangs = false

    /// - Parameters:
    ///   - uncountedDeliveries: how often the message was delivered before, where the broker leaves counting to us; `nil`
    ///     where not.
    ///   - publishedAt: in seconds since 1970; `nil` where that is not known.
    public init(
        _ policy: DeliveryPolicy, body: [UInt8], uncountedDeliveries: Int? = nil, publishedAt: Int? = nil,
        surroundings: DeliverySurroundings = .real
    ) {
        self.policy = policy
        self.body = body
        size = body.count
        self.uncountedDeliveries = uncountedDeliveries
        self.publishedAt = publishedAt
        self.surroundings = surroundings
    }

    // MARK: Events

    /// The delivery has arrived.
    /// - Parameter isCancelled: whether an envelope has been cancelled.
    public mutating func begin(now: MonotonicTime, isCancelled: (Envelope) -> Bool = { _ in false }) -> Action {
        if let uncountedDeliveries { return count(uncountedDeliveries) }
        let envelope: Envelope
        do throws(EnvelopeError) { envelope = try Envelope(parsing: body, limits: policy.limits) } catch {
            return refuse(error)
        }
        self.envelope = envelope
        beginTrace(of: envelope)
        attempt = envelope.headers.attempt(at: policy.actorName)
        if !policy.isEndActor { deadline = envelope.deadline }
        if !policy.isEndActor && envelope.route.currentActor != policy.actorName {
            outcome = .failed(.routeMismatch)
            let actual = envelope.route.currentActor ?? "none, current is \(envelope.route.current)"
            return fail(
                .init(
                    code: "route_mismatch",
                    message:
                        "Route mismatch: message routed to wrong actor (expected: \(policy.actorName), actual: \(actual))"
                ))
        }
        if !policy.isEndActor && isCancelled(envelope) { return failCancelled() }
        if isLate { return failAtDeadline("it had passed when the envelope came here") }
        calledAt = now
        return .call(reports: startReports(of: envelope), after: .zero)
    }

    private mutating func beginTrace(of envelope: Envelope) {
        guard let span = surroundings.span else { return }
        traceParent = envelope.headers.traceparent
        trace = span(traceParent)
    }

    /// How long a handler may still work on the envelope; `nil` where it has no deadline. What has ended is closed
    /// whenever it is.
    public var timeLeft: Duration? {
        deadline.map { .microseconds($0 - surroundings.wallClock()) }
    }

    private var isLate: Bool { timeLeft.map { $0 <= .zero } ?? false }

    /// The runtime has answered, or the call has failed.
    public mutating func called(_ result: Result<[UInt8], Runtime.Failure>, now: MonotonicTime) -> Action {
        guard envelope != nil else { return .abandon }
        callError = if case .failure(let failure) = result { failure.type } else { nil }
        switch result {
        case .failure(.draining), .failure(.paused):
            return .settle(.requeue)
        case .failure(.replaced):
            // Its turn comes when the new process is there.
            return .call(reports: [], after: .zero)
        case .failure(.withdrawn):
            return .abandon
        case .failure(.cancelled):
            return failCancelled()
        case .failure(.occupied):
            runtimeHangs = true
            return .settle(.requeue)
        case .failure(.injected) where isLate, .failure(.timeout) where isLate:
            return failAtDeadline("the handler was at work")
        case .failure(.injected(let failure)):
            if failure.fault.kind == .crash {
                calls += 1
                if calls < policy.crashAttempts { return callAgain() }
            }
            runtimeHangs = failure.fault.kind == .hang
            return retryOrFail(failure.error)
        case .failure(.timeout(let limit)):
            runtimeHangs = true
            return retryOrFail(.init(code: "timeout", message: "Runtime timeout exceeded after \(limit.inWords)"))
        case .failure(.closed(let reason)):
            calls += 1
            let limit = policy.isEndActor ? policy.endActorAttempts : policy.crashAttempts
            if calls < limit { return callAgain() }
            return retryOrFail(.init(code: "runtime_error", message: "\(reason), \(calls) times in a row"))
        case .failure(.invalid(let reason)):
            return retryOrFail(.init(code: "runtime_error", message: reason))
        case .success(let bytes):
            do throws(RuntimeReply.HandlerError) {
                switch try RuntimeReply(parsing: bytes, limits: policy.limits) {
                case .error(let error): throw error
                case .results(let results): return try route(results, now: now)
                }
            } catch {
                callError = error.type
                if policy.isEndActor {
                    // A full disk is no fault of the envelope: it waits for as long as it takes.
                    if error.type == "StorageError" { return callAgain() }
                    calls += 1
                    if calls < policy.endActorAttempts { return callAgain() }
                }
                return retryOrFail(error)
            }
        }
    }

    private mutating func callAgain() -> Action {
        .call(reports: [], after: callBackoff.next(random: surroundings.random()))
    }

    /// Whether the delivery is done with as soon as all of the last `.send` is confirmed.
    public var acknowledgesWhenSent: Bool { afterwards.isEmpty }

    /// What became of everything that the last `.send` named, in its order.
    /// - Parameter isLive: whether settling the delivery still means something to the broker.
    public mutating func sent(_ results: [Result<Void, TransportError>], isLive: Bool) -> Action {
        var remaining: [Outgoing] = []
        var mustWait = false
        // A queue that was deleted under its consumer is back in a moment.
        if zip(pending, results).contains(where: { $0.message != nil && $1.isUnroutable }) { unroutableAttempts += 1 }
        let isUnroutableForGood = unroutableAttempts >= policy.unroutableAttempts
        for (outgoing, result) in zip(pending, results) {
            guard case .failure(let error) = result else { continue }
            if error.code == .stopped { return .abandon }
            if isUnroutableForGood, error.code == .unroutable,
                let replacement = errorEnvelope(insteadOf: outgoing, error)
            {
                outcome = .failed(.routingError)
                remaining.append(replacement)
            } else {
                remaining.append(outgoing)
                mustWait = true
            }
        }
        pending = []
        if remaining.isEmpty && afterwards.isEmpty { return .settle(.acknowledge) }
        // The broker will deliver it again, to us or to another: whoever takes it then causes the same.
        guard isLive else { return .abandon }
        if remaining.isEmpty {
            defer { afterwards = [] }
            return send(afterwards)
        }
        pending = remaining
        return .send(remaining, after: mustWait ? sendBackoff.next(random: surroundings.random()) : .zero)
    }

    // MARK: Results

    private mutating func route(
        _ results: [RuntimeReply.Result], now: MonotonicTime
    ) throws(RuntimeReply.HandlerError) -> Action {
        if policy.isEndActor {
            outcome = .endConsumed
            guard policy.reports, let envelope else { return .settle(.acknowledge) }
            return send([.report(finalReport(of: envelope))])
        }
        if results.isEmpty, var envelope {
            outcome = .emptyResponse
            envelope.headers["troupe-attempts"] = nil
            return send([message(envelope, to: policy.happyEnd)])
        }
        let children = try children(results)
        outcome = .success
        letGoOfBody()
        let progress = policy.reports ? [Outgoing.report(completedReport(of: children[0], now: now))] : []
        let first = messageOnward(children[0])
        if children.count == 1 { return send(progress + [first]) }
        // A child is told of when its message is safe: should this delivery be lost before that, and come to another end
        // the next time, nobody would ever close it. The one that keeps the id goes last: who watches it knows of all
        // others before it can end.
        let others = children.dropFirst()
        let births = policy.reports ? others.map { Outgoing.report(createdReport(of: $0)) } : []
        let reports = births + progress
        if policy.sendsTogether { return send(reports + others.map(messageOnward) + [first]) }
        afterwards = reports + [first]
        return send(others.map(messageOnward))
    }

    private func children(_ results: [RuntimeReply.Result]) throws(RuntimeReply.HandlerError) -> [Envelope] {
        var children: [Envelope] = []
        for (index, result) in results.enumerated() {
            if let child = try envelope?.next(result, index: index, of: results.count) { children.append(child) }
        }
        return children
    }

    /// What comes now has its own.
    private mutating func letGoOfBody() {
        body = []
        // The payload lies in there, and what else Troupe does not know.
        envelope?.payload = .emptyObject
        envelope?.unknown = []
        envelope?.route.unknown = []
    }

    /// A handler may ask for a pause before the next step, in a header that holds for this one step.
    private func messageOnward(_ next: Envelope) -> Outgoing {
        var next = next
        var delay = Duration.milliseconds(max(0, next.headers["troupe-delay-ms"]?.integer ?? 0))
        next.headers["troupe-delay-ms"] = nil
        // At its deadline it ends, wherever it waits.
        if let timeLeft { delay = min(delay, max(.zero, timeLeft)) }
        return message(next, to: destination(of: next), after: delay)
    }

    private func destination(of envelope: Envelope) -> String { envelope.route.currentActor ?? policy.happyEnd }

    private func message(_ envelope: Envelope, to actor: String, after delay: Duration = .zero) -> Outgoing {
        var envelope = envelope
        if envelope.headers.submittedAt == nil {
            envelope.headers.submittedAt =
                publishedAt.map {
                    Timestamp.text(seconds: Int64($0), microseconds: 0)
                } ?? surroundings.timestamp(.zero)
        }
        if let trace { envelope.headers.traceparent = surroundings.span?(trace) ?? trace }
        return .envelope(
            Message(to: .actor(actor), id: envelope.id, body: envelope.encoded(), delay: delay),
            trace == nil ? nil : envelope.headers.traceparent)
    }

    private mutating func send(_ outgoing: [Outgoing]) -> Action {
        pending = outgoing
        return .send(outgoing, after: .zero)
    }

    // MARK: Errors

    /// The broker has delivered it before and does not count: it goes back with its count, before anything can kill us.
    private mutating func count(_ deliveries: Int) -> Action {
        envelope = try? Envelope(parsing: body, limits: policy.limits)
        guard deliveries <= policy.deliveryLimit else {
            outcome = .failed(.deliveryLimit)
            let reason = "delivery_limit: delivered \(deliveries) times, and never settled"
            return send([.message(deadLetter(reason: reason))])
        }
        outcome = .counted
        let message = Message(
            to: .actor(policy.actorName), id: envelope?.id ?? "", body: body, priorDeliveries: deliveries)
        return send([.message(message)])
    }

    private mutating func failCancelled() -> Action {
        outcome = .failed(.cancelled)
        return fail(.init(code: "cancelled", message: "Envelope cancelled"))
    }

    private mutating func failAtDeadline(_ circumstance: String) -> Action {
        outcome = .failed(.deadlineExceeded)
        let deadline = envelope?.deadlineText ?? ""
        return fail(.init(code: "deadline_exceeded", message: "Deadline \(deadline) exceeded: \(circumstance)"))
    }

    /// A message that is no envelope.
    private mutating func refuse(_ error: EnvelopeError) -> Action {
        let json = try? RawJSON(body, limits: policy.limits)
        outcome = .failed(json == nil ? .parseError : .validationError)
        guard let json, !policy.isEndActor else {
            // Not ours to understand: whole and unchanged to where a person will look.
            return send([.message(deadLetter(reason: error.message))])
        }
        let envelope = Envelope(
            id: json["id"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? surroundings.makeID(),
            route: Route(actors: [policy.actorName]),
            headers: json["headers"].flatMap { try? Headers($0) } ?? Headers(), payload: json)
        beginTrace(of: envelope)
        return send([errorEnvelope(for: envelope, .init(code: "msg_parsing_error", message: error.message))])
    }

    /// An error of the handler or of the call: the envelope comes here again after a while, as the policy has it, or it
    /// ends here.
    private mutating func retryOrFail(_ error: RuntimeReply.HandlerError) -> Action {
        guard var failed = envelope, !policy.isEndActor else { return fail(error) }
        let retries = policy.retries.overridden(by: failed.headers["troupe-retry"])
        guard retries.attempts > 1 else { return fail(error) }
        var attempts = Attempts(of: failed, at: policy.actorName)
        attempts.failed(error, actor: policy.actorName, at: surroundings.timestamp(.zero))
        failed.headers["troupe-attempts"] = attempts.header
        envelope = failed
        let delay = retries.delay(
            after: attempts.current, error: [error.type, error.code], random: surroundings.random())
        guard let delay else { return fail(error) }
        if let timeLeft, delay >= timeLeft {
            return failAtDeadline(
                "attempt \(attempts.current) failed: \(error.inWords); the next would begin after it")
        }
        outcome = .retried
        errorCode = error.code
        let again = message(failed, to: policy.actorName, after: delay)
        guard policy.reports else { return send([again]) }
        var report = report(.progress, failed, status: "retrying")
        report.nextAttemptAt = surroundings.timestamp(delay)
        report.message =
            "Attempt \(attempts.current) of \(retries.attempts) failed: \(error.inWords); next in \(delay.inWords)"
        return send([.report(report), again])
    }

    /// The envelope ends here, with the reason.
    private mutating func fail(_ error: RuntimeReply.HandlerError) -> Action {
        guard let envelope else { return .abandon }
        errorCode = error.code
        if outcome == nil { outcome = .failed(.runtimeError) }
        guard policy.isEndActor else { return send([errorEnvelope(for: envelope, error)]) }
        let reason = "\(policy.actorName) could not close the envelope: \(error.inWords)"
        guard policy.reports else { return send([.message(deadLetter(reason: reason))]) }
        var report = finalReport(of: envelope)
        report.status = "failed"
        report.error = reason
        return send([.message(deadLetter(reason: reason)), .report(report)])
    }

    private func deadLetter(reason: String) -> Message {
        Message(to: .deadLetters(actor: policy.actorName, reason: reason), id: envelope?.id ?? "", body: body)
    }

    private func errorEnvelope(for envelope: Envelope, _ error: RuntimeReply.HandlerError) -> Outgoing {
        var failed = envelope
        failed.payload = RawJSON { writer in
            writer.beginObject()
            writer.name("error")
            writer.append(string: error.code)
            writer.name("details")
            writer.append(error.details ?? .emptyObject)
            writer.name("original_payload")
            writer.append(envelope.payload)
            writer.endObject()
        }
        return message(failed, to: policy.errorEnd)
    }

    /// `nil` for what holds no envelope, and for error envelopes: they wait until somebody takes them.
    private func errorEnvelope(insteadOf outgoing: Outgoing, _ error: TransportError) -> Outgoing? {
        guard case .envelope(let message, _) = outgoing, case .actor(let name) = message.destination,
            name != policy.errorEnd, let envelope = outgoing.envelopeWithin(policy.limits)
        else { return nil }
        return errorEnvelope(
            for: envelope, .init(code: "unroutable", message: "no queue for actor '\(name)': \(error.message)"))
    }
}

extension RuntimeReply.HandlerError {
    /// `ValueError: not text`, or as much of it as there is.
    var inWords: String { [type, message].compactMap { $0 }.joined(separator: ": ") }

    /// The handler's own, or else the code.
    var type: String { details?["type"]?.string ?? code }
}

extension Result<Void, TransportError> {
    fileprivate var isUnroutable: Bool {
        if case .failure(let error) = self { error.code == .unroutable } else { false }
    }
}
