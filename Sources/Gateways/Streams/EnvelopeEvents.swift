internal import EventLoops

/// The updates of an envelope, until it has ended.
struct EnvelopeEvents: EventSource {
    private let id: String
    private let follower: EnvelopeFollower
    private var machine: UpdateStreamMachine

    init(of id: String, after lastID: Int64, _ follower: EnvelopeFollower) {
        self.id = id
        self.follower = follower
        machine = UpdateStreamMachine(after: lastID, quietLimit: follower.quietLimit, now: .now)
    }

    var following: UpdateHub.Following { .envelopes([id]) }

    func isDue(now: MonotonicTime) -> Bool { machine.ticked(now: now) != .wait }

    mutating func tell(_ occasion: EventOccasion, to stream: OpenStream) async throws -> Bool {
        let action = occasion == .time ? machine.ticked(now: .now) : machine.woken()
        let isFinished = try await follower.tell(id, &machine, action) { event in
            switch event {
            case .update(let update): try await stream.send(ServerSentEvent.update(update))
            case .silence: try await stream.send(ServerSentEvent.keepAlive)
            }
        }
        return !isFinished
    }
}
