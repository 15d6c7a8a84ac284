internal import Logging
internal import Synchronization

/// The tools as their files say just now.
///
/// A file with mistakes changes nothing: the tools stay as they are, and the log says why.
final class LiveToolCatalogue: Sendable {
    private let path: String?
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        var catalogue: ToolCatalogue
        var version = 0
        /// The last refusal, so that it is logged once.
        var refusal: String?
    }

    /// - Parameter path: `nil` for a catalogue that doesn't change.
    init(_ catalogue: ToolCatalogue, path: String?, logger: Logger) {
        self.path = path
        self.logger = logger
        state = Mutex(State(catalogue: catalogue))
    }

    var current: ToolCatalogue { state.withLock { $0.catalogue } }
    /// Another one with each change.
    var version: Int { state.withLock { $0.version } }

    /// Looks again and again, until the task is cancelled. Names of changed files say little where they are mounted by links
    /// (Kubernetes), so the files are read.
    func run(interval: Duration, onChange: @Sendable () -> Void) async {
        while (try? await Task.sleep(for: interval)) != nil {
            if reload() { onChange() }
        }
    }

    /// - Returns: whether the tools have changed.
    func reload() -> Bool {
        guard let path else { return false }
        let catalogue: ToolCatalogue
        do throws(ToolFileErrors) {
            catalogue = try ToolCatalogue.read(path)
        } catch {
            let isNew = state.withLock { state in
                defer { state.refusal = error.description }
                return state.refusal != error.description
            }
            if isNew {
                logger.error("tools stay as they are: mistakes in their files", metadata: ["error": "\(error)"])
            }
            return false
        }
        let hasChanged = state.withLock { state in
            state.refusal = nil
            guard state.catalogue != catalogue else { return false }
            state.catalogue = catalogue
            state.version += 1
            return true
        }
        if hasChanged { logger.info("tools reloaded", metadata: ["tools": "\(catalogue.tools.count)"]) }
        return hasChanged
    }
}
