import EventLoops
import PostgreSQL
import Synchronization
import Testing

@Suite("Notifications")
struct NotificationTests {
    @Test("arrive in order, on their channel only, after the commit")
    func inOrder() async throws {
        let listener = try await TestServer.connect()
        let stream = try await listener.notifications(on: "Test \"in order\"")
        let sender = try await TestServer.connect()
        try await sender.query("SELECT pg_notify($1, $2)", [.text("test_other"), .text("no")])
        try? await sender.withTransaction { connection in
            try await connection.query("SELECT pg_notify($1, $2)", [.text("Test \"in order\""), .text("rolled back")])
            throw CancellationError()
        }
        for number in 0..<100 {
            try await sender.query("SELECT pg_notify($1, $2)", [.text("Test \"in order\""), .text("\(number)")])
        }
        var received: [String] = []
        for await notification in stream {
            received.append(notification.payload)
            if received.count == 100 { break }
        }
        #expect(received == (0..<100).map(String.init))
        await listener.close()
        await sender.close()
    }

    @Test("the stream ends with the connection")
    func endOfConnection() async throws {
        let connection = try await TestServer.connect()
        let stream = try await connection.notifications(on: "test_end")
        try await TestServer.terminate(connection)
        for await _ in stream {}
        #expect(await connection.isClosed)
    }

    @Test("a listener says when it has missed something, and listens again")
    func listener() async throws {
        let settings = ConnectionSettings(
            url: try TestServer.url, applicationName: "test-listener-\(UInt32.random(in: 0...(.max)))")
        let listener = NotificationListener(settings, channel: "test_listener", on: TestServer.loop)
        let events = Mutex<[NotificationListener.Event]>([])
        let task = Task { await listener.run { event in events.withLock { $0.append(event) } } }
        try await eventually("it doesn't listen") { events.withLock { $0 == [.listening] } }

        let other = try await TestServer.connect()
        try await other.query("SELECT pg_notify('test_listener', $1)", [.text("one")])
        try await eventually("no notification") { events.withLock { $0.count == 2 } }
        try await other.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
            [.text(settings.applicationName)])
        try await eventually("it doesn't listen again") { events.withLock { $0.count == 4 && $0.last == .listening } }
        try await other.query("SELECT pg_notify('test_listener', $1)", [.text("two")])
        try await eventually("no notification") { events.withLock { $0.count == 5 } }

        let seen = events.withLock { $0 }
        #expect(seen[1] == .notification(Notification(channel: "test_listener", payload: "one")))
        guard case .interrupted = seen[2] else { return #expect(Bool(false), "\(seen[2])") }
        #expect(seen[4] == .notification(Notification(channel: "test_listener", payload: "two")))

        task.cancel()
        await task.value
        try await eventually("it left its connection open") {
            try await other.query(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", [.text(settings.applicationName)]
            )[0].integer(0) == 0
        }
        await other.close()
    }
}
