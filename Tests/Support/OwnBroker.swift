import Foundation

/// A RabbitMQ of one test's own, for what would disturb others: alarms, restarts. Ends with this object.
public final class OwnBroker: Sendable {
    private let settings: [String: String]
    private let process: Process
    private let input: FileHandle

    /// Takes some seconds, and blocks meanwhile.
    public init() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["python3", root.appendingPathComponent("deploy/local/with_servers.py").path, "--broker", "--"]
            + ["sh", "-c", "env | grep ^TROUPE_TEST_; echo ready; read -r _"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        self.input = input.fileHandleForWriting
        try process.run()
        var text = ""
        while !text.hasSuffix("ready\n") {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { throw TestServers.Failed(output: "no broker: \(text)") }
            text += String(decoding: data, as: UTF8.self)
        }
        settings = Dictionary(
            text.split(separator: "\n").compactMap { line in
                line.firstIndex(of: "=").map { (String(line[..<$0]), String(line[line.index(after: $0)...])) }
            }, uniquingKeysWith: { $1 })
    }

    deinit {
        try? input.close()
        process.waitUntilExit()
    }

    public var url: String { settings["TROUPE_TEST_RABBITMQ_URL"] ?? "" }

    @discardableResult
    public func rabbitmqctl(_ arguments: String...) throws -> String {
        try TestServers.run([settings["TROUPE_TEST_RABBITMQCTL"] ?? ""] + arguments)
    }
}
