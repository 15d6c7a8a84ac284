internal import EventLoops
internal import Logging

/// Tells what stands in the database until it is told: when somebody wakes it, and every few seconds for what a gateway that has died
/// has left untold, however long the broker is away.
struct AnnouncementLoop: Sendable {
    let logger: Logger
    private let alarm = Alarm()

    private static let interval = Duration.seconds(5)

    init(logger: Logger) { self.logger = logger }

    /// There is something to tell.
    func wake() { Task { await alarm.ring() } }

    /// Runs until the task is cancelled.
    ///
    /// - Parameter subject: what a warning says is not told yet.
    func run(_ subject: String, announce: () async throws -> Void) async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                try await announce()
                backoff.reset()
                await alarm.sleep(for: Self.interval)
            } catch {
                if Task.isCancelled { return }
                logger.warning("\(subject) wait to be told", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: backoff.next())
            }
        }
    }
}
