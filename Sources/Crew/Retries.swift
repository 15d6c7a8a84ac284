/// Tries again what may work the next time, a few times, with growing, random pauses.
struct Retries: Sendable {
    /// Tries in all, 1 or more.
    var attempts: Int
    /// The first pause is at most this long, each further one at most twice as long as the one before.
    var firstPause: Duration
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    /// Together with a request's own time limit this stays well within the five minutes that a sidecar waits by
    /// default.
    static let standard = Retries(attempts: 5, firstPause: .milliseconds(200))

    func run(_ body: () async throws(StorageError) -> Void) async throws(StorageError) {
        var longest = firstPause
        for attempt in 1... {
            do throws(StorageError) {
                return try await body()
            } catch {
                guard error.isTransient, attempt < attempts else {
                    throw attempt == 1
                        ? error : StorageError("\(error) (tried \(attempt) times)", isTransient: error.isTransient)
                }
            }
            // Random from half to the whole: many replicas must not come back at the same moment.
            do { try await sleep(longest * Double.random(in: 0.5...1)) } catch { throw StorageError("cancelled") }
            longest *= 2
        }
    }
}
