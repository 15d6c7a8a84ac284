internal import Envelopes

/// The actors that gateways have heard of.
protocol ActorStore: Sendable {
    /// Notes that there are such actors: nobody else can tell, since the broker's protocol lists no queues.
    func note(actors: Set<String>) async throws(StoreError)

    /// All that we have heard of, by name.
    func actors() async throws(StoreError) -> [KnownActor]

    /// From now on no sidecar is to take deliveries of the actor. One that is paused stays so since when it was; whoever gives a reason
    /// replaces the one before.
    /// - Returns: whether there is such an actor.
    func pause(_ actor: String, by caller: String?, reason: String?) async throws(StoreError) -> Bool

    /// Sidecars are told, also where the actor was not paused: one may not have heard of it.
    /// - Returns: whether there is such an actor.
    func resume(_ actor: String) async throws(StoreError) -> Bool

    /// What sidecars are to be told, or told again: a pause for as long as it lasts, its end for a day, in which whoever missed it must
    /// have come back.
    func pausesToAnnounce(limit: Int) async throws(StoreError) -> [ActorPause]

    /// What was decided anew meanwhile is still to be told.
    func markAnnounced(_ pauses: [ActorPause]) async throws(StoreError)

    /// How it stands with each of these actors, also where nobody has ever paused it.
    func pauses(of actors: Set<String>) async throws(StoreError) -> [String: ActorPause]

    /// Unfinished envelopes by the actor whose turn it is. It looks at 50,000 of each status at most, those created first.
    func work() async throws(StoreError) -> [String: ActorWork]

    /// What was reported in the last five minutes, by actor; at most the last 50,000 reports or so.
    func rates() async throws(StoreError) -> ActorRates
}

extension ActorStore {
    /// Those that may have dead letters: all that we have heard of.
    func actorsWithDeadLetters() async throws(StoreError) -> [String] { try await actors().map(\.name) }
}

/// An actor that gateways have heard of.
struct KnownActor: Sendable, Hashable {
    var name: String
    /// Microseconds since 1970, as all times here.
    var firstSeen: Int64
    /// When one of its sidecars has started, or a dead letter of its came.
    var lastSeen: Int64
    /// `nil` while it takes deliveries.
    var pause: Pause?

    struct Pause: Sendable, Hashable {
        var since: Int64
        /// `nil` where nobody needs to say who he is.
        var by: String?
        var reason: String?
    }
}

/// What the database knows of the work at one actor.
struct ActorWork: Sendable, Hashable {
    /// Unfinished envelopes that it has reported on and not yet sent on.
    var inFlight = 0
    /// Of the unfinished envelope whose turn it is there and of which nothing was heard for longest: when that was. Microseconds since
    /// 1970.
    var oldestAt: Int64?
}

/// What actors have reported lately.
struct ActorRates: Sendable, Hashable {
    struct Counts: Sendable, Hashable {
        var completed = 0
        var failed = 0
        var retried = 0
    }

    /// What the counts are of: five minutes, or less where so much was reported.
    var seconds: Double
    var counts: [String: Counts]
}
