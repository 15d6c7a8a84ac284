internal import Synchronization

/// News within one process: told by whoever has written, once that is on the disk.
final class LocalUpdateNews: UpdateNews {
    private let state = Mutex(State())

    private struct State {
        var listeners: [Int: @Sendable (UpdateNewsEvent) -> Void] = [:]
        var lastNumber = 0
    }

    func run(_ handle: @escaping @Sendable (UpdateNewsEvent) -> Void) async {
        let number = state.withLock { state in
            state.lastNumber += 1
            state.listeners[state.lastNumber] = handle
            return state.lastNumber
        }
        handle(.listening)
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(86_400)) }
        state.withLock { $0.listeners[number] = nil }
    }

    func tell(_ envelopeIDs: Set<String>) {
        guard !envelopeIDs.isEmpty else { return }
        let listeners = state.withLock { Array($0.listeners.values) }
        for listener in listeners {
            for id in envelopeIDs { listener(.moved(envelopeID: id)) }
        }
    }
}
