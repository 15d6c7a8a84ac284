internal import EventLoops
internal import PostgreSQL

/// What the trigger of `envelope_updates` notifies of.
struct PostgreSQLUpdateNews: UpdateNews {
    private let listener: NotificationListener

    init(_ connection: ConnectionSettings, on loop: EventLoop) {
        var connection = connection
        connection.applicationName += "-listener"
        listener = NotificationListener(connection, channel: "troupe_envelope_updates", on: loop)
    }

    func run(_ handle: @escaping @Sendable (UpdateNewsEvent) -> Void) async {
        await listener.run { event in
            switch event {
            case .listening: handle(.listening)
            case .notification(let notification): handle(.moved(envelopeID: notification.payload))
            case .interrupted(let error): handle(.interrupted(reason: "\(error)"))
            }
        }
    }
}
