internal import AMQP

extension Delivery {
    /// Ours, for queues that do not count.
    static let countHeader = "x-troupe-deliveries"

    init(_ message: Consumer.Message, from source: Source, token: Token) {
        let brokersCount = message.headers["x-delivery-count"]?.integer
        let oursCount = max(0, message.headers[Self.countHeader]?.integer ?? 0)
        self.init(
            token: token, source: source, body: message.body, isRedelivered: message.isRedelivered,
            priorDeliveries: brokersCount ?? (oursCount + (message.isRedelivered ? 1 : 0)),
            isCounted: brokersCount != nil || !message.isRedelivered,
            publishedAt: message.timestamp, queuedAt: message.endOfDelay, deadLetter: DeadLetter(message))
    }
}

extension DeadLetter {
    static let reasonHeader = "x-troupe-reason"

    /// `nil` for a message that comes from no dead-letter exchange.
    init?(_ message: Consumer.Message) {
        // The latest first. A message that only waited in a delay queue has died of `expired`, too, but there.
        let death = message.headers["x-death"]?.list.first
        if let reason = message.headers[Self.reasonHeader]?.string {
            self.init(actor: message.routingKey, reason: reason, time: message.timestamp)
        } else if let reason = death?["reason"]?.string, reason != "expired" {
            self.init(actor: message.routingKey, reason: reason, time: death?["time"]?.integer ?? message.timestamp)
        } else {
            return nil
        }
    }
}

extension Consumer.Message {
    /// When it left its delay queue, in seconds since 1970; `nil` for one that comes from none.
    fileprivate var endOfDelay: Int? {
        guard let death = headers["x-death"]?.list.first, death["reason"]?.string == "expired" else { return nil }
        return death["time"]?.integer
    }
}
