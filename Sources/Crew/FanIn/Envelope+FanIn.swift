internal import ActorKit
internal import EventLoops

extension Envelope {
    /// The envelope on its way back to where it is now, to arrive there after a pause.
    func returning(after pause: Duration) -> Envelope {
        var next = self
        next.headers["troupe-delay-ms"] = RawJSON(integer: Int(pause.nanosecondsClamped / 1_000_000))
        return next
    }

    /// The envelope on its way to the next actor, with the list in place of its own payload.
    /// - Parameters:
    ///   - piece: what it was in its group; `nil` for one that is alone.
    ///   - missing: places in the list where there is only a null.
    func released(_ list: RawJSON, as piece: FanInPiece?, missing: [Int] = []) -> Envelope {
        var next = self
        next.payload = list
        next.route.current += 1
        if let piece {
            if piece.isOfFanOut { next.headers.leaveFanOut() } else { next.headers.leaveKeyGroup() }
        }
        next.headers["troupe-fan-in-missing"] =
            missing.isEmpty ? nil : RawJSON(array: missing.map(RawJSON.init(integer:)))
        return next
    }
}

extension Headers {
    /// A key has done its service: at another fan-in of the route it would name this group, which has gone.
    fileprivate mutating func leaveKeyGroup() {
        let left = self[FanInHeader.name]?.members.filter { member in
            !["key", "count", "index"].contains { member.isNamed($0) }
        }
        guard let left, !left.isEmpty else { return self[FanInHeader.name] = nil }
        self[FanInHeader.name] = RawJSON(object: left)
    }
}
