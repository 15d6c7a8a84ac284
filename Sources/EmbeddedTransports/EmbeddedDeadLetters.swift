internal import GRDB
internal import SQLite
public import Transports

/// The dead letters of an embedded broker.
public struct EmbeddedDeadLetters: DeadLetterQueues {
    private let broker: EmbeddedBroker

    public init(_ broker: EmbeddedBroker) { self.broker = broker }

    public func openDeadLetters(of actor: String) async throws(TransportError) -> (any DeadLetterReader)? {
        let queue = QueueName.deadLetters(actor: actor)
        guard let states = await broker.states(of: [queue]) else {
            throw TransportError(.connectionLost, "the embedded broker is closed")
        }
        guard let state = states[0], let id = await broker.id(of: queue) else { return nil }
        // One that is replayed and dies again meanwhile comes behind these.
        do throws(SQLiteError) {
            let last = try await broker.file.read { try BrokerTables.lastPlace(of: id, in: $0) }
            return Reader(broker, queue, id, actor: actor, count: state.ready, last: last)
        } catch { throw TransportError(.connectionLost, error.message) }
    }

    private actor Reader: DeadLetterReader {
        nonisolated let count: Int
        private let broker: EmbeddedBroker
        private let queue: QueueName
        private let id: QueueID
        private let actor: String
        private let last: Place
        private var place: Place = 0
        private var shown: Set<Place> = []

        init(_ broker: EmbeddedBroker, _ queue: QueueName, _ id: QueueID, actor: String, count: Int, last: Place) {
            self.broker = broker
            self.queue = queue
            self.id = id
            self.actor = actor
            self.count = count
            self.last = last
        }

        func next(limit: Int) async throws(TransportError) -> [DeadLetterMessage] {
            while true {
                let messages = try await read(limit)
                guard let end = messages.last?.place else { return [] }
                place = end
                let free = await broker.show(messages.map(\.place), of: queue)
                shown.formUnion(free)
                // Where somebody else looks at all of these, there may be more behind them.
                if free.isEmpty { continue }
                return messages.filter { free.contains($0.place) }.map {
                    DeadLetterMessage(
                        tag: UInt64($0.place), id: $0.id, body: $0.body,
                        deadLetter: $0.deadLetter ?? DeadLetter(actor: actor, reason: "unknown", time: $0.publishedAt))
                }
            }
        }

        private func read(_ limit: Int) async throws(TransportError) -> [StoredMessage] {
            let (id, place, last) = (id, place, last)
            do throws(SQLiteError) {
                return try await broker.file.read { database in
                    var messages: [StoredMessage] = []
                    var bytes = 0
                    try BrokerTables.messages(of: id, behind: place, upTo: last, limit: limit, in: database) {
                        messages.append($0)
                        bytes += $0.body.count
                        return bytes < Batch.takeBytes
                    }
                    return messages
                }
            } catch { throw TransportError(.connectionLost, error.message) }
        }

        func remove(_ message: DeadLetterMessage) async throws(TransportError) {
            let place = Place(truncatingIfNeeded: message.tag)
            guard shown.remove(place) != nil else { return }
            do throws(SQLiteError) {
                try await broker.file.write { try BrokerTables.delete([place], in: $0) }
            } catch {
                shown.insert(place)
                throw TransportError(.connectionLost, error.message)
            }
            await broker.hide([place], of: queue, areGone: true)
        }

        func close() async {
            await broker.hide(shown, of: queue)
            shown = []
        }
    }
}
