internal import Envelopes
internal import EventLoops
internal import Logging
internal import Transports

/// Brings what a handler emits during one call to the broker, as `EventGatherer` decides.
///
/// Events are worth less than the envelope: whatever becomes of them, the call goes on, and so does its result.
actor EventRelay {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private var gatherer: EventGatherer
    /// Everything but the events.
    private let template: StatusReport
    private let reporter: any Reporter
    private let logger: Logger
    private var reports = 0
    private var backoff = Backoff()
    private var waiter: CheckedContinuation<Void, Never>?

    /// Sends that fail in a row, in about a second, before a portion is given up, and so is each further one that fails.
    /// While there is no broker, a send waits.
    private static let attempts = 5

    /// - Parameter report: of the kind `emitted`, without events.
    init(
        _ limits: EventLimits, as report: StatusReport, reporter: any Reporter, on loop: EventLoop, logger: Logger
    ) {
        gatherer = EventGatherer(limits)
        template = report
        self.reporter = reporter
        self.loop = loop
        self.logger = logger
    }

    /// To be called, on the loop, with each event as it comes.
    nonisolated var intake: @Sendable (RawJSON) -> Void {
        { event in
            self.assumeIsolated { relay in
                relay.perform(relay.gatherer.received(event, at: Timestamp.now(), now: .now))
            }
        }
    }

    /// Returns once everything that was emitted is safe with the broker, or given up.
    /// - Returns: how many events were taken, and how many left out.
    func finish() async -> (taken: Int, refused: [EventGatherer.Refusal: Int]) {
        await withCheckedContinuation { continuation in
            waiter = continuation
            perform(gatherer.ended(now: .now))
        }
        if !gatherer.refused.isEmpty {
            let reasons = gatherer.refused.map { "\($0.key.rawValue): \($0.value)" }.sorted()
            logger.warning(
                "events left out",
                metadata: ["envelope_id": "\(template.envelopeID)", "reasons": "\(reasons.joined(separator: ", "))"])
        }
        return (gatherer.taken, gatherer.refused)
    }

    private func perform(_ action: EventGatherer.Action) {
        switch action {
        case .nothing: return
        case .schedule(let delay):
            loop.schedule(after: delay) { self.assumeIsolated { $0.perform($0.gatherer.due(now: .now)) } }
        case .send(let events):
            // Before the reply can be read: the loop starts tasks in order.
            Task(executorPreference: loop) { await self.send(events) }
        case .finish:
            waiter?.resume()
            waiter = nil
        }
    }

    private func send(_ events: [EmittedEvent]) async {
        reports += 1
        var report = template
        report.eventID += ".\(reports)"
        report.events = events
        await deliver(report)
        perform(gatherer.sent(now: .now))
    }

    private func deliver(_ report: StatusReport) async {
        while true {
            do throws(TransportError) {
                try await reporter.deliver(report)
                return backoff.reset()
            } catch {
                guard error.code != .stopped, backoff.tries + 1 < Self.attempts else {
                    return logger.warning(
                        "events not sent",
                        metadata: [
                            "envelope_id": "\(report.envelopeID)", "count": "\(report.events.count)",
                            "reason": "\(error)",
                        ])
                }
                await loop.sleep(for: backoff.next())
            }
        }
    }
}
