import Synchronization
import Transports

/// Queues as the test says that they are, and how often somebody has looked.
final class RecordingQueues: QueueObserver {
    private let state = Mutex(State())

    private struct State {
        var states: [ObservedQueue: QueueState] = [:]
        var failure: TransportError?
        var looks = 0
    }

    var looks: Int { state.withLock { $0.looks } }

    func set(_ states: [ObservedQueue: QueueState], failure: TransportError? = nil) {
        state.withLock { ($0.states, $0.failure) = (states, failure) }
    }

    func name(of queue: ObservedQueue) -> String { "\(queue)" }

    func look(at queues: [ObservedQueue]) async throws(TransportError) -> [ObservedQueue: QueueState] {
        let (states, failure) = state.withLock { state in
            state.looks += 1
            return (state.states, state.failure)
        }
        if let failure { throw failure }
        return states.filter { queues.contains($0.key) }
    }
}
