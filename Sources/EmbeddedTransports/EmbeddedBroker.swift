internal import Envelopes
public import EventLoops
public import Logging
public import SQLite
internal import Transports

/// All queues of a deployment, in one file of one process. `EmbeddedTransport`s are its clients.
///
/// What happens at the same time shares one transaction, and so one wait for the disk: publishing, acknowledging, and
/// taking what is next. There is one transaction at a time, and memory follows it: what was written is known here
/// before the next is put together.
public actor EmbeddedBroker {
    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    let file: SQLiteFile
    let deliveryLimit: Int
    let logger: Logger
    var queues: [QueueName: Queue] = [:]
    var names: [QueueID: QueueName] = [:]
    var subscribers: [QueueMachine.ConsumerID: Subscriber] = [:]
    var lastNumber: UInt64 = 0
    var isClosed = false

    // What waits to be written.
    var publications: [Publication] = []
    var acknowledgements: [Batch.Acknowledgement] = []
    var forgotten: [QueueID] = []
    var nextDue: Int64?
    var dueTimer: EventLoop.Timer?

    // Who waits for that.
    var publishers: [CallerID: Publisher] = [:]
    var settlers: [CallerID: CheckedContinuation<Void, Never>] = [:]
    var declarers: [Declarer] = []
    var closers: [CheckedContinuation<Void, Never>] = []

    // The writing itself.
    var isAwake = false
    var isWriting = false
    /// What is left of a batch that could not be written as a whole.
    var parts: [Batch] = []
    /// Why nothing can be written just now.
    var trouble: SQLiteError?
    var backoff = Backoff(initial: .milliseconds(50), ceiling: .seconds(2))
    var isTimeToTryAgain = false
    /// A batch with all that waits, or what is left of it, is on its way.
    var isTryingAgain = false
    var retryTimer: EventLoop.Timer?

    struct Queue {
        /// `nil` until it is in the file.
        var id: QueueID?
        var machine: QueueMachine
        /// Dead letters that somebody is looking at.
        var shown: Set<Place> = []
    }

    struct Publisher {
        var caller: CheckedContinuation<TransportError?, Never>
        /// Ends the wait.
        var timer: EventLoop.Timer?
    }

    struct Declarer {
        var queues: [QueueName]
        var owner: ObjectIdentifier
        var caller: CheckedContinuation<Void, Never>
    }

    struct Subscriber {
        var queue: QueueName
        var source: Source
        var deliveries: DeliveryStream
    }

    // MARK: Life

    /// Opens the broker's part of the file, or begins it.
    /// - Parameters:
    ///   - file: of which it uses the tables `broker_*`. One broker a file; it stays open when the broker is closed.
    ///   - deliveryLimit: deliveries of one message after the first, before an actor's queue gives it to the dead letters:
    ///     the backstop against what kills its consumer.
    /// - Throws: what the file throws.
    public static func open(
        _ file: SQLiteFile, deliveryLimit: Int = 20, on loop: EventLoop, logger: Logger
    ) async throws(SQLiteError) -> EmbeddedBroker {
        try await BlockingThread.run { () throws(SQLiteError) in try file.migrate("broker", BrokerTables.steps) }
        let inventory = try await file.write { try BrokerTables.takeStock($0) }
        return EmbeddedBroker(file, inventory, deliveryLimit: deliveryLimit, on: loop, logger: logger)
    }

    private init(
        _ file: SQLiteFile, _ inventory: BrokerTables.Inventory, deliveryLimit: Int, on loop: EventLoop, logger: Logger
    ) {
        self.file = file
        self.deliveryLimit = deliveryLimit
        self.loop = loop
        self.logger = logger
        for (name, id, waiting) in inventory.queues {
            let machine = QueueMachine(waiting: waiting, hasSingleConsumer: name.hasSingleConsumer)
            queues[name] = Queue(id: id, machine: machine)
            names[id] = name
        }
        nextDue = inventory.nextDue
        Task(executorPreference: loop) { await self.armDueTimer() }
    }

    /// Ends all streams of deliveries, and returns when what was published or acknowledged before is on the disk, or
    /// cannot be written.
    public func close() async {
        isClosed = true
        for subscriber in subscribers.values { subscriber.deliveries.finish() }
        if let dueTimer { loop.cancel(dueTimer) }
        await withCheckedContinuation { closer in
            closers.append(closer)
            wake()
        }
        for declarer in declarers { declarer.caller.resume() }
        declarers = []
    }

    // MARK: Queues

    /// Resumes the caller when the queues are in the file, the broker is closed, or the owner gives up.
    func declare(_ names: [QueueName], by owner: ObjectIdentifier, _ caller: CheckedContinuation<Void, Never>) {
        if isClosed { return caller.resume() }
        for name in names { introduce(name) }
        if areDeclared(names) { return caller.resume() }
        declarers.append(Declarer(queues: names, owner: owner, caller: caller))
        wake()
    }

    /// Its callers wait no longer.
    func stopDeclaring(by owner: ObjectIdentifier) {
        declarers.removeAll { declarer in
            guard declarer.owner == owner else { return false }
            declarer.caller.resume()
            return true
        }
    }

    private func introduce(_ name: QueueName) {
        if queues[name] != nil { return }
        queues[name] = Queue(machine: QueueMachine(waiting: 0, hasSingleConsumer: name.hasSingleConsumer))
        wake()
    }

    func areDeclared(_ names: [QueueName]) -> Bool { names.allSatisfy { queues[$0]?.id != nil } }

    /// With all that is in it.
    func forget(_ name: QueueName) {
        guard let queue = queues.removeValue(forKey: name), let id = queue.id else { return }
        names[id] = nil
        forgotten.append(id)
        wake()
    }

    /// - Returns: one for each, `nil` where there is no such queue; nothing at all once the broker is closed.
    func states(of names: [QueueName]) -> [QueueState?]? {
        if isClosed { return nil }
        return names.map { name in
            guard let queue = queues[name], queue.id != nil else { return nil }
            return QueueState(ready: queue.machine.ready - queue.shown.count, consumers: queue.machine.consumerCount)
        }
    }

    func id(of name: QueueName) -> QueueID? { queues[name]?.id }

    // MARK: Consumers

    func subscribe(
        to source: Source, prefetch: Int, isPaused: Bool, _ deliveries: DeliveryStream
    ) -> QueueMachine.ConsumerID {
        for name in source.queues { introduce(name) }
        let id = nextNumber()
        subscribers[id] = Subscriber(queue: source.queue, source: source, deliveries: deliveries)
        queues[source.queue]?.machine.join(id, prefetch: prefetch, isPaused: isPaused)
        wake()
        return id
    }

    func pause(_ id: QueueMachine.ConsumerID) {
        guard let name = subscribers[id]?.queue else { return }
        queues[name]?.machine.pause(id)
        wake()
    }

    func resume(_ id: QueueMachine.ConsumerID) {
        guard let name = subscribers[id]?.queue else { return }
        queues[name]?.machine.resume(id)
        wake()
    }

    /// It gets nothing any more; what it has can still be settled.
    func retire(_ id: QueueMachine.ConsumerID) {
        guard let name = subscribers[id]?.queue else { return }
        queues[name]?.machine.retire(id)
        wake()
    }

    /// What it has goes back.
    func leave(_ id: QueueMachine.ConsumerID) {
        guard let name = subscribers.removeValue(forKey: id)?.queue else { return }
        queues[name]?.machine.leave(id)
        wake()
    }

    func giveBack(_ message: HeldMessage) {
        queues[message.queue]?.machine.giveBack(message.place, by: message.consumer)
        wake()
    }

    /// Returns when it is on the disk, or could not be written just now: it is tried again then, and the message stays
    /// where it is.
    func acknowledge(_ message: HeldMessage) async {
        await withCheckedContinuation { caller in
            guard queues[message.queue]?.machine.acknowledge(message.place, by: message.consumer) == true else {
                return caller.resume()
            }
            let number = nextNumber()
            settlers[number] = caller
            acknowledgements.append(.init(place: message.place, caller: number))
            wake()
        }
    }

    // MARK: Publishing

    /// All or none of these.
    /// - Returns: one for each.
    func publish(
        _ messages: [Message], settling delivery: HeldMessage?, timeout: Duration?
    ) async -> [Result<Void, TransportError>] {
        if isClosed { return messages.map { _ in .failure(.stopped) } }
        var copies: [Publication.Copy] = []
        var faults: [Int: TransportError] = [:]
        for (index, message) in messages.enumerated() {
            do throws(TransportError) { copies += try self.copies(of: message) } catch { faults[index] = error }
        }
        if let fault = faults.values.first {
            let others = TransportError(.refused, "not published, since another that goes with it was not: \(fault)")
            return messages.indices.map { .failure(faults[$0] ?? others) }
        }
        guard !copies.isEmpty || delivery != nil else { return messages.map { _ in .success(()) } }
        let failure = await write(copies, settling: delivery, timeout: timeout)
        return messages.map { _ in failure.map { .failure($0) } ?? .success(()) }
    }

    private func write(
        _ copies: [Publication.Copy], settling delivery: HeldMessage?, timeout: Duration?
    ) async -> TransportError? {
        await withCheckedContinuation { caller in
            let number = nextNumber()
            let timer = timeout.map {
                loop.schedule(after: $0) { [weak self] in self?.assumeIsolated { $0.giveUp(number) } }
            }
            publishers[number] = Publisher(caller: caller, timer: timer)
            publications.append(Publication(caller: number, copies: copies, settles: delivery))
            wake()
        }
    }

    /// What the disk is at already may be written yet.
    private func giveUp(_ number: CallerID) {
        publications.removeAll { $0.caller == number }
        let reason = trouble?.message ?? "the disk takes its time"
        resumePublisher(number, TransportError(.timeout, "not written: \(reason)"))
    }

    func resumePublisher(_ number: CallerID, _ error: TransportError? = nil) {
        guard let publisher = publishers.removeValue(forKey: number) else { return }
        if let timer = publisher.timer { loop.cancel(timer) }
        publisher.caller.resume(returning: error)
    }

    // MARK: Dead letters

    /// Makes some of these unseen by others until they are `hide`n.
    /// - Returns: those that nobody else has.
    func show(_ places: [Place], of name: QueueName) -> Set<Place> {
        let free = Set(places).subtracting(queues[name]?.shown ?? [])
        queues[name]?.shown.formUnion(free)
        return free
    }

    /// - Parameter areGone: they are not in the file any more.
    func hide(_ places: Set<Place>, of name: QueueName, areGone: Bool = false) {
        queues[name]?.shown.subtract(places)
        if areGone { queues[name]?.machine.removedUnread(places.count) }
    }

    func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }
}
