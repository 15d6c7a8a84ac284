internal import Envelopes
internal import Transports

extension ActorView {
    /// The answer of `GET /actors`, or of one of them.
    func write(_ actor: KnownActor, to writer: inout JSONWriter) {
        let queue = states[.actor(actor.name)]
        let work = work[actor.name] ?? ActorWork()
        let counts = rates.counts[actor.name] ?? ActorRates.Counts()
        writer.beginObject()
        writer.member("name", actor.name)
        writer.member("state", actor.pause == nil ? "running" : "paused")
        if let pause = actor.pause {
            writer.name("paused")
            writer.beginObject()
            writer.member("since", time: pause.since)
            writer.member("by", pause.by)
            writer.member("reason", pause.reason)
            writer.endObject()
        }
        writer.member("ready", orNull: queue?.ready)
        writer.member("consumers", orNull: queue?.consumers)
        writer.member("dead_letters", orNull: states[.deadLetters(actor: actor.name)]?.ready)
        writer.member("in_flight", orNull: work.inFlight)
        writer.member("oldest_at", time: work.oldestAt)
        writer.name("rates")
        writer.beginObject()
        writer.member("window_seconds", number: rates.seconds.rounded())
        writer.member("completed_per_minute", number: rates.perMinute(counts.completed))
        writer.member("failed_per_minute", number: rates.perMinute(counts.failed))
        writer.member("retried_per_minute", number: rates.perMinute(counts.retried))
        writer.endObject()
        writer.member("first_seen", time: actor.firstSeen)
        writer.member("last_seen", time: actor.lastSeen)
        writer.endObject()
    }

    /// Those that are there; all of them while nobody can tell.
    func writeQueues(to writer: inout JSONWriter, name: (ObservedQueue) -> String) {
        writer.beginArray()
        for queue in queues where brokerTrouble != nil || states[queue] != nil {
            writer.beginObject()
            writer.member("name", name(queue))
            writer.member("kind", queue.kind)
            writer.member("actor", queue.actor)
            writer.member("ready", orNull: states[queue]?.ready)
            writer.member("consumers", orNull: states[queue]?.consumers)
            writer.endObject()
        }
        writer.endArray()
    }

    /// The member `broker`: whether it could be asked.
    func writeBroker(to writer: inout JSONWriter) {
        writer.name("broker")
        writer.beginObject()
        writer.name("available")
        writer.append(brokerTrouble == nil)
        writer.member("reason", brokerTrouble)
        writer.endObject()
    }
}

extension ActorRates {
    /// To a hundredth.
    fileprivate func perMinute(_ count: Int) -> Double { (Double(count) * 6000 / seconds).rounded() / 100 }
}

extension ObservedQueue {
    fileprivate var kind: String {
        switch self {
        case .actor: "actor"
        case .deadLetters: "dead_letters"
        case .statusReports: "status_reports"
        case .deadLetterNotices: "dead_letter_notices"
        case .controlRequests: "control_requests"
        }
    }

    fileprivate var actor: String? {
        switch self {
        case .actor(let name), .deadLetters(let name): name
        case .statusReports, .deadLetterNotices, .controlRequests: nil
        }
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, orNull number: Int?) {
        self.name(name)
        if let number { append(number) } else { append(.null) }
    }
}
