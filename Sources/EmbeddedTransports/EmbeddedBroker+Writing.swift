internal import Envelopes
internal import EventLoops
internal import Logging
internal import SQLite
internal import Transports

/// One transaction after the other, each with all that has come up meanwhile.
extension EmbeddedBroker {
    /// Messages of one take: a transaction should not get long because somebody has room for a million.
    private static let takeLimit = 1000
    /// A clock that was set, or a machine that slept, is noticed after this time at the latest.
    private static let longestTimer = Duration.seconds(30)

    private var nowInMilliseconds: Int64 { Timestamp.microsecondsNow() / 1000 }

    /// There may be something to write, when all that is ready now has run.
    func wake() {
        if isAwake { return }
        isAwake = true
        loop.atEndOfTurn { [weak self] in self?.assumeIsolated { $0.begin() } }
    }

    private func begin() {
        isAwake = false
        if isWriting { return }
        let batch = nextBatch()
        if batch.isEmpty { return resumeClosers() }
        isWriting = true
        Task(executorPreference: loop) { await self.carryOut(batch) }
    }

    private func carryOut(_ batch: Batch) async {
        do throws(SQLiteError) {
            let outcome = try await file.write { try batch.write(to: $0) }
            isWriting = false
            written(batch, outcome)
        } catch {
            isWriting = false
            notWritten(batch, error)
        }
        // Those who have just heard may have more for the next one.
        wake()
    }

    // MARK: What to write

    private func nextBatch() -> Batch {
        if !parts.isEmpty { return holding(parts.removeFirst()) }
        var batch = Batch(now: nowInMilliseconds)
        batch.publications = publications
        publications = []
        // While the disk is in trouble, only what callers wait for is tried at once.
        if trouble == nil || isTimeToTryAgain || isClosed {
            batch.declared = isClosed ? [] : queues.compactMap { $1.id == nil ? $0 : nil }
            batch.acknowledged = acknowledgements
            acknowledgements = []
            batch.forgotten = forgotten
            forgotten = []
            batch.movesDue = !isClosed && nextDue.map { $0 <= batch.now } == true
            isTryingAgain = isTimeToTryAgain && !isClosed
            batch.isProbe = isTryingAgain
            isTimeToTryAgain = false
            if !isClosed { batch.takes = takes(with: batch) }
        }
        return holding(batch)
    }

    /// What a publication settles is settled from here on, if it is still to settle.
    private func holding(_ batch: Batch) -> Batch {
        var batch = batch
        for index in batch.publications.indices {
            guard let message = batch.publications[index].settles else { continue }
            batch.publications[index].acknowledges =
                queues[message.queue]?.machine.acknowledge(message.place, by: message.consumer) == true
        }
        return batch
    }

    private func takes(with batch: Batch) -> [Batch.TakeOrder] {
        var arriving: [QueueID: Int] = [:]
        for copy in batch.publications.lazy.flatMap(\.copies) where copy.due == nil {
            arriving[copy.queue, default: 0] += 1
        }
        var orders: [Batch.TakeOrder] = []
        // A copy of the names alone: the machines must not be copied when they change.
        for name in Array(queues.keys) {
            guard let id = queues[name]?.id,
                let take = queues[name]?.machine.take(arriving: arriving[id] ?? 0, atMost: Self.takeLimit)
            else { continue }
            var order = Batch.TakeOrder(queue: name, id: id, take: take)
            order.oldest = name.lifetime.map { Int(batch.now / 1000) - $0 }
            if let actor = name.actor {
                let letters: [QueueName] = [.deadLetters(actor: actor), .deadLetterNotices]
                order.limit = .init(
                    deliveries: deliveryLimit, actor: actor, deadLetters: letters.compactMap { self.id(of: $0) })
            }
            orders.append(order)
        }
        return orders
    }

    // MARK: What came of it

    private func written(_ batch: Batch, _ outcome: Batch.Outcome) {
        if isTryingAgain && parts.isEmpty { endTrouble() }
        for (name, id) in outcome.declared { enter(name, as: id) }
        note(arrived: outcome.arrived)
        for acknowledgement in batch.acknowledged { resumeSettler(acknowledgement.caller) }
        for publication in batch.publications { resumePublisher(publication.caller) }
        for (order, taken) in zip(batch.takes, outcome.taken) { hand(out: taken, from: order.queue) }
        note(arrived: outcome.buried)
        note(batch, outcome.nextDue)
        resumeDeclarers()
    }

    private func note(arrived counts: [QueueID: Int]) {
        for (id, count) in counts {
            if let name = names[id] { queues[name]?.machine.arrived(count) }
        }
    }

    private func note(_ batch: Batch, _ next: Batch.NextDue) {
        var due = nextDue
        if case .at(let time) = next { due = time }
        for time in batch.publications.lazy.flatMap(\.copies).compactMap(\.due) { due = min(due ?? time, time) }
        if due == nextDue && (dueTimer != nil || due == nil) { return }
        nextDue = due
        armDueTimer()
    }

    private func enter(_ name: QueueName, as id: QueueID) {
        guard queues[name] != nil else { return forgotten.append(id) }
        queues[name]?.id = id
        names[id] = name
    }

    private func hand(out taken: Batch.Taken, from name: QueueName) {
        let places = taken.messages.map(\.place)
        let gifts =
            queues[name]?.machine.took(places, withdrawn: taken.withdrawn, isComplete: taken.isComplete) ?? []
        let messages = Dictionary(uniqueKeysWithValues: taken.messages.map { ($0.place, $0) })
        for (place, id) in gifts {
            guard let message = messages[place], let subscriber = subscribers[id] else { continue }
            subscriber.deliveries.yield(
                Delivery(
                    token: .init(generation: id, tag: UInt64(place)), source: subscriber.source, body: message.body,
                    isRedelivered: message.deliveries > 0, priorDeliveries: message.deliveries,
                    publishedAt: message.publishedAt, deadLetter: message.deadLetter))
        }
    }

    private func notWritten(_ batch: Batch, _ error: SQLiteError) {
        for publication in batch.publications where publication.acknowledges {
            guard let message = publication.settles else { continue }
            queues[message.queue]?.machine.restore(message.place, to: message.consumer)
        }
        let rest = batch.parts
        if rest.count > 1 { return parts += rest }
        for order in batch.takes { queues[order.queue]?.machine.failedToTake() }
        for publication in batch.publications { resumePublisher(publication.caller, TransportError(error)) }
        for acknowledgement in batch.acknowledged { resumeSettler(acknowledgement.caller) }
        if isClosed { return }
        // What is wrong with one message is no trouble for the others.
        if !batch.publications.isEmpty && !error.isUnavailable { return }
        isTryingAgain = false
        if trouble == nil { logger.error("the broker's file cannot be written", metadata: ["reason": "\(error)"]) }
        trouble = error
        // These are tried again by ourselves, and nobody need wait: what was acknowledged stays where it is.
        acknowledgements += batch.acknowledged.map { .init(place: $0.place) }
        forgotten += batch.forgotten
        tryAgainLater()
    }

    /// Everything was tried again, and written.
    private func endTrouble() {
        logger.notice("the broker's file can be written again")
        isTryingAgain = false
        trouble = nil
        backoff.reset()
    }

    private func tryAgainLater() {
        guard !isClosed, retryTimer == nil else { return }
        retryTimer = loop.schedule(after: backoff.next()) { [weak self] in
            self?.assumeIsolated { broker in
                broker.retryTimer = nil
                broker.isTimeToTryAgain = true
                broker.wake()
            }
        }
    }

    /// One timer, for what is due next.
    func armDueTimer() {
        if let dueTimer { loop.cancel(dueTimer) }
        dueTimer = nil
        guard let nextDue, !isClosed else { return }
        let wait = Duration.milliseconds(max(0, nextDue - nowInMilliseconds))
        dueTimer = loop.schedule(after: min(wait, Self.longestTimer)) { [weak self] in
            self?.assumeIsolated { broker in
                broker.dueTimer = nil
                if nextDue > broker.nowInMilliseconds { broker.armDueTimer() } else { broker.wake() }
            }
        }
    }

    private func resumeSettler(_ caller: CallerID?) {
        if let caller { settlers.removeValue(forKey: caller)?.resume() }
    }

    private func resumeDeclarers() {
        declarers.removeAll { declarer in
            guard areDeclared(declarer.queues) else { return false }
            declarer.caller.resume()
            return true
        }
    }

    private func resumeClosers() {
        for closer in closers { closer.resume() }
        closers = []
    }
}

extension TransportError {
    init(_ error: SQLiteError) {
        self = error.code == .closed ? .stopped : TransportError(.refused, error.message)
    }

    static let stopped = TransportError(.stopped, "the transport has been shut down")
}
