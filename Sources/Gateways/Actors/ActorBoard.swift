internal import EventLoops
internal import Transports

/// All actors and queues as they are just now. However many ask, and however often, it looks once a second.
actor ActorBoard {
    private let store: any ActorStore
    private let queues: any QueueObserver
    private var last: (time: MonotonicTime, view: ActorView)?
    private var look: Task<ActorView, any Error>?

    private static let age = Duration.seconds(1)

    init(store: any ActorStore, queues: any QueueObserver) {
        self.store = store
        self.queues = queues
    }

    /// - Throws: `StoreError`.
    func view() async throws -> ActorView {
        if let last, last.time.duration(to: .now) < Self.age { return last.view }
        if let look { return try await look.value }
        let look = Task { try await self.makeView() }
        self.look = look
        let result = await look.result
        // Unless something has changed since.
        if self.look == look {
            self.look = nil
            if case .success(let view) = result { last = (.now, view) }
        }
        return try result.get()
    }

    /// Something has changed: who asks from now on is to see it.
    func forget() { (last, look) = (nil, nil) }

    private func makeView() async throws -> ActorView {
        let actors = try await store.actors()
        var view = ActorView(
            actors: actors, work: try await store.work(), rates: try await store.rates(),
            queues: Self.shared + actors.flatMap { [.actor($0.name), .deadLetters(actor: $0.name)] })
        do throws(TransportError) {
            view.states = try await queues.look(at: view.queues)
        } catch {
            view.brokerTrouble = error.message
        }
        return view
    }

    /// Those that belong to no actor.
    private static let shared: [ObservedQueue] = [.statusReports, .deadLetterNotices, .controlRequests]
}

/// What the board shows.
struct ActorView: Sendable {
    var actors: [KnownActor]
    var work: [String: ActorWork]
    var rates: ActorRates
    /// All that we know by name.
    var queues: [ObservedQueue]
    /// Of those that are there; empty while the broker is away.
    var states: [ObservedQueue: QueueState] = [:]
    /// Why the broker could not be asked.
    var brokerTrouble: String?
}
