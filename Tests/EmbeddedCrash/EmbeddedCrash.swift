import EmbeddedTransports
import EventLoops
import Glibc
import Logging
import SQLite
import Transports

/// Uses an embedded broker until somebody kills it, and says what it was promised, a line for each:
///
///     traffic FILE FIRST     publishes numbers from FIRST on; takes them, and acknowledges two of three
///     hops FILE              takes numbers from `in`, and for each sends a fan-out of 1000 to `out`
@main
struct EmbeddedCrash {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let loop = EventLoop(name: "broker")
        let logger = Logger(label: "crash") { StreamLogHandler.standardError(label: $0) }
        let broker = try await EmbeddedBroker.open(
            SQLiteFile(path: arguments[2]), deliveryLimit: 1_000_000, on: loop, logger: logger)
        let transport = EmbeddedTransport(broker)
        switch arguments[1] {
        case "traffic": try await traffic(over: transport, from: Int(arguments[3]) ?? 0)
        default: try await hops(over: transport)
        }
    }

    static func traffic(over transport: EmbeddedTransport, from first: Int) async throws {
        await transport.declare(.actor("a"))
        say("ready")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<8 {
                group.addTask {
                    for number in stride(from: first + part, to: .max, by: 8) {
                        let message = Message(to: .actor("a"), id: "m", body: Array("\(number)".utf8))
                        try await transport.publish(message, timeout: nil)
                        say("published \(number)")
                    }
                }
            }
            group.addTask {
                for await delivery in await transport.deliveries(from: .actor("a"), prefetch: 65535) {
                    let number = Int(String(decoding: delivery.body, as: UTF8.self)) ?? -1
                    say("delivered \(number)")
                    if number % 3 == 0 { continue }
                    say("settles \(number)")
                    await transport.settle(delivery, .acknowledge)
                    say("settled \(number)")
                }
            }
            try await group.waitForAll()
        }
    }

    static func hops(over transport: EmbeddedTransport) async throws {
        await transport.declare(.actor("out"))
        let deliveries = await transport.deliveries(from: .actor("in"), prefetch: 2)
        say("ready")
        for await delivery in deliveries {
            let number = String(decoding: delivery.body, as: UTF8.self)
            let children = (0..<1000).map {
                Message(to: .actor("out"), id: "\(number)-\($0)", body: Array("\(number) \($0)".utf8))
            }
            for result in await transport.publish(children, acknowledging: delivery, timeout: nil) { try result.get() }
            say("hopped \(number)")
            await transport.settle(delivery, .acknowledge)
        }
    }

    /// At once, and whole: nothing may wait in a buffer when the process is killed.
    static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}
