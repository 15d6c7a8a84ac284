public import Envelopes
public import FoundationEssentials

/// What a handler may know about the call that it answers.
///
/// When the sidecar closes the connection (the envelope was cancelled, or timed out), the task in which the handler
/// runs is cancelled: long work should ask `Task.isCancelled` now and then.
public struct Context: Sendable {
    /// The envelope's id; empty where the envelope has none, which a sidecar never sends.
    public var id: String
    /// The envelope that fanned this one out.
    public var parentID: String?
    /// With `current` at this actor.
    public var route: Route
    public var headers: Headers
    /// How often the sidecar has called this actor for this step, from 1: each retry counts one.
    public var attempt: Int
    /// When the sender stops waiting for the result.
    public var deadline: Date?
    /// Lines of this log carry the envelope's id and the actor's name.
    public var log: Log
    /// Gets what `emit` is given.
    let onEmit: @Sendable (EmittedEvent) -> Void

    /// For tests of handlers; in an actor the context comes with the call.
    /// - Parameter onEmit: gets what the handler emits.
    public init(
        id: String = "", parentID: String? = nil, route: Route = Route(actors: []), headers: Headers = Headers(),
        attempt: Int = 1, deadline: Date? = nil, log: Log = Log(),
        onEmit: @escaping @Sendable (EmittedEvent) -> Void = { _ in }
    ) {
        self.id = id
        self.parentID = parentID
        self.route = route
        self.headers = headers
        self.attempt = attempt
        self.deadline = deadline
        self.log = log
        self.onEmit = onEmit
    }

    /// A header as a Swift value; `nil` where there is none.
    /// - Throws: `DecodingError` where it is of another type.
    public func header<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value? {
        guard let header = headers[name] else { return nil }
        return try JSONDecoder().decode(type, from: Data(header.bytes))
    }

    /// Until the deadline, from now; negative when it has passed, `nil` where there is none.
    public var timeLeft: Duration? {
        deadline.map { .milliseconds(Int64(($0.timeIntervalSinceNow * 1000).rounded())) }
    }
}

extension Context {
    init(
        _ request: LooseEnvelope, logLevel: Log.Level,
        onEmit: @escaping @Sendable (EmittedEvent) -> Void = { _ in }
    ) {
        let route = request.looseRoute
        let headers = request.looseHeaders
        self.init(
            id: request.id ?? "", parentID: request.parentID, route: route, headers: headers,
            attempt: headers.attempt(at: route.currentActor ?? ""),
            deadline: request.json["deadline"]?.string.flatMap(Timestamp.microseconds).map {
                Date(timeIntervalSince1970: Double($0) / 1_000_000)
            },
            log: Log(level: logLevel, fields: ["envelope_id": request.id ?? "", "actor": route.currentActor ?? ""]),
            onEmit: onEmit)
    }
}
