internal import AMQP

/// What exchanges, queues and keys are called, and how they are declared: the one place that knows.
struct Topology: Sendable {
    let settings: RabbitMQSettings

    var exchange: String { settings.exchange }
    var deadLetterExchange: String { "\(settings.exchange)-dlx" }
    var reportExchange: String { "\(settings.exchange).events" }
    /// No actor's queue is called so: those begin with the prefix, which has no such dot.
    var reportQueue: String { "\(settings.exchange).events.gateway" }
    var deadLetterNoticeQueue: String { "\(settings.exchange).dead-letters.gateway" }
    var controlExchange: String { "\(settings.exchange).control" }
    var controlRequestQueue: String { "\(settings.exchange).control.gateway" }
    func controlInbox(_ name: String) -> String { "\(settings.exchange).control.inbox.\(name)" }

    func queue(of actor: String) -> String { settings.queuePrefix + actor }
    func deadLetterQueue(of actor: String) -> String { "\(settings.queuePrefix)\(actor)-dlq" }
    /// Queues are bound with exactly the key that publishers use.
    func routingKey(of actor: String) -> String { actor }

    func delayExchange(_ level: DelayLevel) -> String { "\(settings.exchange).delay.\(level.milliseconds)" }

    func queue(of source: Source) -> String {
        switch source {
        case .actor(let name): queue(of: name)
        case .statusReports: reportQueue
        case .deadLetterNotices: deadLetterNoticeQueue
        case .control(let inbox): controlInbox(inbox)
        case .controlRequests: controlRequestQueue
        }
    }

    func declareExchanges(on link: Link) throws(AMQPError) {
        try link.declareExchange(exchange, type: "topic")
        try link.declareExchange(deadLetterExchange, type: "topic")
        try link.declareExchange(reportExchange, type: "topic")
        try link.declareExchange(controlExchange, type: "fanout")
    }

    func declare(_ source: Source, on link: Link) throws(AMQPError) {
        try declareExchanges(on: link)
        switch source {
        case .actor(let name):
            try declareQueue(deadLetterQueue(of: name), arguments: keepingArguments, on: link)
            try link.bindQueue(
                deadLetterQueue(of: name), exchange: deadLetterExchange, routingKey: routingKey(of: name))
            try declareQueue(queue(of: name), arguments: actorArguments(name), on: link)
            try link.bindQueue(queue(of: name), exchange: exchange, routingKey: routingKey(of: name))
        case .statusReports:
            // One gateway at a time, so that reports are written in the order in which they came.
            try declareQueue(
                reportQueue, arguments: keepingArguments.merging(["x-single-active-consumer": true]) { $1 }, on: link)
            try link.bindQueue(reportQueue, exchange: reportExchange, routingKey: "#")
        case .deadLetterNotices:
            try declareQueue(deadLetterNoticeQueue, arguments: keepingArguments, on: link)
            try link.bindQueue(deadLetterNoticeQueue, exchange: deadLetterExchange, routingKey: "#")
        case .control(let inbox):
            // It outlives a lost connection, but not for long the sidecar that it was for.
            let name = controlInbox(inbox)
            try link.declareQueue(
                name,
                arguments: ["x-queue-type": "classic", "x-expires": 600_000, "x-max-length": 10_000])
            try link.bindQueue(name, exchange: controlExchange, routingKey: "")
        case .controlRequests:
            try link.declareQueue(
                controlRequestQueue, arguments: ["x-queue-type": "classic", "x-message-ttl": 60_000])
        }
    }

    /// An exchange that gives everything to the level's queue, whose messages go on to the exchange of actors when they
    /// have waited, with the routing key that they came with.
    func declare(_ level: DelayLevel, on link: Link) throws(AMQPError) {
        let name = delayExchange(level)
        try link.declareExchange(name, type: "fanout")
        // Quorum whatever the setting: only there is a copy confirmed before the original goes. At once where the
        // actor's queue is missing then, the message stays until it is there.
        try declareQueue(
            name,
            arguments: [
                "x-queue-type": "quorum", "x-message-ttl": .integer(level.milliseconds),
                "x-dead-letter-exchange": .string(exchange), "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            ], on: link)
        try link.bindQueue(name, exchange: name, routingKey: "")
    }

    /// A queue that is there already is used as it is, whatever its arguments: an existing deployment is taken over,
    /// not fought.
    private func declareQueue(_ name: String, arguments: [String: Field], on link: Link) throws(AMQPError) {
        if try link.queueExists(name) { return }
        guard settings.createsQueues else {
            throw AMQPError(
                .notFound,
                "queue '\(name)' does not exist and TROUPE_QUEUE_AUTO_CREATE is false: create it, or set it to true")
        }
        do { try link.declareQueue(name, arguments: arguments) } catch {
            // Another replica may have been quicker, with settings of its own.
            guard error.code == .preconditionFailed, try link.queueExists(name) else { throw error }
        }
    }

    /// For what only a person or its one reader takes out: it comes back as often as they look at it. Newer brokers drop
    /// a message after 20 returns if nothing is said, and older ones know no word for "never".
    private var keepingArguments: [String: Field] {
        settings.queueType == .quorum
            ? typeArguments.merging(["x-delivery-limit": 1_000_000_000]) { $1 } : typeArguments
    }

    private var typeArguments: [String: Field] { ["x-queue-type": .string(settings.queueType.rawValue)] }

    private func actorArguments(_ name: String) -> [String: Field] {
        var arguments = typeArguments
        arguments["x-dead-letter-exchange"] = .string(deadLetterExchange)
        arguments["x-dead-letter-routing-key"] = .string(routingKey(of: name))
        if settings.queueType == .quorum {
            arguments["x-delivery-limit"] = .integer(Int64(settings.deliveryLimit))
            // Dead-lettering is only safe with both: a copy is confirmed before the original goes, and a full queue
            // says no.
            arguments["x-dead-letter-strategy"] = "at-least-once"
            arguments["x-overflow"] = "reject-publish"
        }
        return arguments
    }
}
