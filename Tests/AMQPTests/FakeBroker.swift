import AMQP
import Foundation
import Synchronization
import TestSupport
import Testing

/// `broker.py`: a broker on a bad day.
final class FakeBroker: Sendable {
    let port: Int
    private let process: Process
    private let input: FileHandle
    private let lines = Lines()

    /// What it has said and nobody has asked for yet.
    private final class Lines: Sendable {
        let unheard = Mutex<[String]>([])
    }

    enum Manner: String { case amqp, silent, http }

    init(_ manner: Manner = .amqp) async throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let script = try #require(Bundle.module.url(forResource: "broker", withExtension: "py")).path
        process.arguments = ["python3", script, manner.rawValue]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        self.input = input.fileHandleForWriting
        Thread.detachNewThread { [lines] in
            var rest: [UInt8] = []
            while true {
                let data = output.fileHandleForReading.availableData
                if data.isEmpty { break }
                rest += data
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    lines.unheard.withLock { $0.append(String(decoding: rest[..<end], as: UTF8.self)) }
                    rest.removeSubrange(...end)
                }
            }
        }
        let lines = lines
        try await eventually("the broker's port") { !lines.unheard.withLock { $0.isEmpty } }
        port = try #require(Int(lines.unheard.withLock { $0.removeFirst() }))
    }

    deinit { process.terminate() }

    func endpoint(heartbeat: Int = 0, timeout: Duration = .seconds(20)) -> Endpoint {
        Endpoint(port: port, heartbeatSeconds: heartbeat, timeout: timeout)
    }

    /// Has it obey, and waits until it did.
    func tell(_ command: String) async throws {
        try input.write(contentsOf: Data("\(command)\n".utf8))
        try await hears("did \(command.prefix { $0 != " " })")
    }

    /// Waits until it has said that line, once for each time that it is asked for.
    func hears(_ line: String) async throws {
        try await eventually("'\(line)' from the broker") {
            lines.unheard.withLock { unheard in
                unheard.firstIndex(of: line).map { _ = unheard.remove(at: $0) } != nil
            }
        }
    }

    func hasSaid(_ line: String) -> Bool { lines.unheard.withLock { $0.contains(line) } }
}
