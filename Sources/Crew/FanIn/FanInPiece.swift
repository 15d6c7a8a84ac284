internal import ActorKit

/// What an envelope is to its group.
struct FanInPiece: Sendable, Hashable {
    /// `{actor}/fan-out/{envelope}/{round}` or `{actor}/key/{key}`
    var group: String
    /// Pieces of the whole group, 1...10000.
    var count: Int
    /// From 0; `nil` where pieces are numbered as they come.
    var index: Int?
    var envelopeID: String
    /// Which attempt at this actor it is: a redelivery has the same as before, a retry or a replay another.
    var attempt = "0.0"
    var isOfFanOut: Bool
    var timeout: Duration?
    var releasesPartial = false
}

extension FanInPiece {
    /// `nil` for an envelope that belongs to no group. A key wins over the fan-out that the envelope comes from.
    /// - Throws: `FanInError` `.header`.
    init?(_ envelope: Envelope) throws(FanInError) {
        guard let actor = envelope.route.currentActor else {
            throw FanInError(.header, "the route is done: the sidecar beside fan-in must not be an end actor's")
        }
        let header = try FanInHeader(envelope.headers[FanInHeader.name])
        if let key = header.key, let count = header.count {
            self.init(
                group: "\(actor)/key/\(Self.name(key))", count: count, index: header.index,
                envelopeID: Self.name(envelope.id), isOfFanOut: false)
        } else if let place = try Self.place(envelope.headers) {
            self.init(
                group: "\(actor)/fan-out/\(Self.name(place.parentID))/\(place.round)", count: place.count,
                index: place.index, envelopeID: Self.name(envelope.id), isOfFanOut: true)
        } else {
            return nil
        }
        attempt = Self.attempt(envelope.headers)
        timeout = header.timeout
        releasesPartial = header.releasesPartial
    }

    /// In the innermost fan-out that nobody has joined yet.
    private static func place(_ headers: Headers) throws(FanInError) -> FanOutPlace? {
        guard let list = headers[Headers.fanOut], list.kind != .null else { return nil }
        func wrong(_ problem: String) -> FanInError { FanInError(.header, "header \(Headers.fanOut): \(problem)") }
        guard list.kind == .array else { throw wrong("must be a list, is \(list.kind)") }
        guard let last = list.elements.last else { return nil }
        guard let place = FanOutPlace(last) else {
            throw wrong(
                "the last entry is not {\"of\", \"round\", \"index\", \"count\"}, with an index below the count")
        }
        guard place.count <= FanInHeader.mostPieces else {
            throw wrong("a fan-out of \(place.count) pieces; fan-in takes \(FanInHeader.mostPieces) at most")
        }
        return place
    }

    private static func attempt(_ headers: Headers) -> String {
        let failed = headers["troupe-attempts"]?.elements.last?["attempt"]?.integer ?? 0
        return "\(headers.replays).\(failed)"
    }

    /// Short enough for an index, and without what a database's text cannot hold.
    private static func name(_ text: String) -> String { ResultKey.safe(text) ?? "" }
}
