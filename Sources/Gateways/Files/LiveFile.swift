internal import Logging
internal import Synchronization

/// What files say just now: tools, keys, certificates.
///
/// A file with mistakes changes nothing: all stays as it is, and the log says why.
final class LiveFile<Value: Hashable & Sendable>: Sendable {
    typealias Reader = @Sendable () throws(FileErrors) -> Value

    /// For the log: what the files hold.
    private let name: String
    private let reader: Reader?
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        var value: Value
        /// The last refusal, so that it is logged once.
        var refusal: String?
    }

    /// - Parameter reader: `nil` for what doesn't change.
    init(_ name: String, _ value: Value, logger: Logger, read reader: Reader?) {
        self.name = name
        self.reader = reader
        self.logger = logger
        state = Mutex(State(value: value))
    }

    var current: Value { state.withLock { $0.value } }

    /// Looks again and again, until the task is cancelled. Names of changed files say little where they are mounted by links
    /// (Kubernetes), so the files are read.
    func run(interval: Duration, onChange: @Sendable () -> Void = {}) async {
        while (try? await Task.sleep(for: interval)) != nil {
            if reload() { onChange() }
        }
    }

    /// - Returns: whether anything has changed.
    func reload() -> Bool {
        guard let reader else { return false }
        let value: Value
        do throws(FileErrors) {
            value = try reader()
        } catch {
            let isNew = state.withLock { state in
                defer { state.refusal = error.description }
                return state.refusal != error.description
            }
            if isNew {
                logger.error("\(name) stay as they are: mistakes in their files", metadata: ["error": "\(error)"])
            }
            return false
        }
        let hasChanged = state.withLock { state in
            state.refusal = nil
            guard state.value != value else { return false }
            state.value = value
            return true
        }
        if hasChanged { logger.info("\(name) reloaded") }
        return hasChanged
    }
}
