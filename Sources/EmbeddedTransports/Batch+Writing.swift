internal import GRDB
internal import Transports

extension Batch {
    /// Bodies in memory for one take.
    static let takeBytes = 16 << 20
    private static let dueLimit = 1000

    func write(to database: Database) throws -> Outcome {
        var outcome = Outcome()
        for publication in publications { try write(publication, to: database, &outcome) }
        for name in declared { outcome.declared[name] = try BrokerTables.declare(name, in: database) }
        try BrokerTables.delete(acknowledged.map(\.place), in: database)
        if movesDue {
            for (queue, count) in try BrokerTables.moveDue(by: now, limit: Self.dueLimit, in: database) {
                outcome.arrived[queue, default: 0] += count
            }
            outcome.nextDue = .at(try BrokerTables.nextDue(database))
        }
        if isProbe { try BrokerTables.forget(BrokerTables.declare(.actor(""), in: database), in: database) }
        for order in takes { outcome.taken.append(try take(order, from: database, &outcome)) }
        for queue in forgotten { try BrokerTables.forget(queue, in: database) }
        return outcome
    }

    private func write(_ publication: Publication, to database: Database, _ outcome: inout Outcome) throws {
        for copy in publication.copies {
            try BrokerTables.insert(copy, publishedAt: Int(now / 1000), in: database)
            if copy.due == nil { outcome.arrived[copy.queue, default: 0] += 1 }
        }
        if publication.acknowledges, let place = publication.settles?.place {
            try BrokerTables.delete([place], in: database)
        }
    }

    private func take(_ order: TakeOrder, from database: Database, _ outcome: inout Outcome) throws -> Taken {
        var taken = Taken()
        var bytes = 0
        var tooOften: [StoredMessage] = []
        let look = { (message: StoredMessage) in
            if let limit = order.limit, message.deliveries > limit.deliveries {
                tooOften.append(message)
                taken.withdrawn.append(message.place)
            } else if let oldest = order.oldest, message.publishedAt < oldest {
                taken.withdrawn.append(message.place)
            } else {
                taken.messages.append(message)
            }
            bytes += message.body.count
            return bytes < Self.takeBytes
        }
        try BrokerTables.messages(at: order.take.returned, in: database, while: look)
        if bytes < Self.takeBytes {
            try BrokerTables.messages(
                of: order.id, behind: order.take.cursor, limit: order.take.unread, in: database, while: look)
        }
        // On the disk before anybody sees them: what kills its consumer at once is counted, too.
        try BrokerTables.countDelivery(of: taken.messages.map(\.place), in: database)
        if let limit = order.limit {
            for message in tooOften { try bury(message, limit, in: database, &outcome) }
        }
        try BrokerTables.delete(taken.withdrawn, in: database)
        return taken
    }

    private func bury(
        _ message: StoredMessage, _ limit: TakeOrder.Limit, in database: Database, _ outcome: inout Outcome
    ) throws {
        let letter = DeadLetter(actor: limit.actor, reason: "delivery_limit", time: Int(now / 1000))
        for queue in limit.deadLetters {
            let copy = Publication.Copy(queue: queue, id: message.id, body: message.body, deadLetter: letter)
            try BrokerTables.insert(copy, publishedAt: message.publishedAt, in: database)
            outcome.arrived[queue, default: 0] += 1
        }
    }
}
