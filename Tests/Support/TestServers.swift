import Foundation

/// The servers that `make test` starts for the tests.
public enum TestServers {
    public static var rabbitMQURL: String { get throws { try address("TROUPE_TEST_RABBITMQ_URL") } }
    public static var rabbitMQTLSURL: String { get throws { try address("TROUPE_TEST_RABBITMQ_TLS_URL") } }
    /// The certificate of the authority that the broker's certificate is from.
    public static var rabbitMQAuthority: String { get throws { try address("TROUPE_TEST_RABBITMQ_CA_FILE") } }
    public static var databaseURL: String { get throws { try address("TROUPE_TEST_DATABASE_URL") } }
    public static var s3Endpoint: String { get throws { try address("TROUPE_TEST_S3_ENDPOINT") } }

    private static func address(_ name: String) throws -> String {
        guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else { throw Missing(name: name) }
        return value
    }

    public struct Missing: Error, CustomStringConvertible {
        let name: String
        public var description: String {
            "\(name) is not set: run the tests with `make test`, which starts the servers they need"
        }
    }

    /// Runs `rabbitmqctl` against the tests' broker.
    @discardableResult
    public static func rabbitmqctl(_ arguments: String...) throws -> String {
        try run(address("TROUPE_TEST_RABBITMQCTL").split(separator: " ").map(String.init) + arguments)
    }

    /// Runs a command of the repository, found by `PATH`.
    /// - Returns: what it has written to standard output and error.
    @discardableResult
    public static func run(_ command: [String], environment: [String: String] = [:]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = TestDatabase.repository
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(output: text) }
        return text
    }

    public struct Failed: Error { public let output: String }
}
