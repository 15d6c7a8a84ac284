public import EventLoops

/// Listens on channels over a connection of its own, and connects again whenever it is lost.
public struct NotificationListener: Sendable {
    public enum Event: Sendable, Hashable {
        /// From now on nothing is missed. What happened before must be read from the tables.
        case listening
        case notification(Notification)
        /// Nothing is heard until the next `listening`.
        case interrupted(PostgreSQLError)
    }

    private let settings: ConnectionSettings
    private let channel: String
    private let loop: EventLoop

    public init(_ settings: ConnectionSettings, channel: String, on loop: EventLoop) {
        self.settings = settings
        self.channel = channel
        self.loop = loop
    }

    /// Returns when the task is cancelled.
    public func run(_ handle: @Sendable (Event) async -> Void) async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do throws(PostgreSQLError) {
                let connection = try await Connection.connect(settings, on: loop)
                do throws(PostgreSQLError) {
                    let notifications = try await connection.notifications(on: channel)
                    backoff.reset()
                    await handle(.listening)
                    for await notification in notifications { await handle(.notification(notification)) }
                } catch {
                    await connection.close()
                    throw error
                }
                await connection.close()
                throw PostgreSQLError(.connectionLost, "the listening connection ended")
            } catch {
                guard !Task.isCancelled else { return }
                await handle(.interrupted(error))
            }
            await loop.sleep(for: backoff.next())
        }
    }
}
