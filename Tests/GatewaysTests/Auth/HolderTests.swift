import Envelopes
import EventLoops
import Foundation
import HTTPClient
import Logging
import TestSupport
import Testing
import Transports

@testable import Gateways
@testable import Sidecars

@Suite("Who holds a key: commands and sidecars", .serialized)
struct HolderTests {
    /// Runs `troupe`.
    private func troupe(
        _ arguments: String..., environment: [String: String] = [:]
    ) async throws -> (code: Int32, output: String, error: String) {
        try await BlockingThread.run {
            Result {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
                    .deletingLastPathComponent().appending(path: "troupe")
                process.arguments = arguments
                process.environment = environment
                let (output, error) = (Pipe(), Pipe())
                process.standardOutput = output
                process.standardError = error
                try process.run()
                let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                let errorText = String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                process.waitUntilExit()
                return (process.terminationStatus, text, errorText)
            }
        }.get()
    }

    @Test("a key that the command has made lets the command in")
    func command() async throws {
        let made = try await troupe("key", "new", "--name", "me", "--scopes", "operate,read")
        #expect(made.code == 0)
        let key = made.error.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(key.hasPrefix("troupe_") && !made.output.contains(key))
        let file = FileManager.default.temporaryDirectory.appending(path: "troupe-key-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data((key + "\n").utf8).write(to: file)

        let keys = try Keys()
        try keys.write(made.output)
        try await withKeys(keys) { gateway, _ in
            let url = "http://127.0.0.1:\(gateway.client.port)"
            let environment = ["TROUPE_GATEWAY_URL": url]
            let stranger = try await troupe("dlq", "list", environment: environment)
            #expect(stranger.code == 77)
            #expect(stranger.error.contains("credentials are missing") && stranger.error.contains("TROUPE_API_KEY"))
            for more in [["TROUPE_API_KEY": key], ["TROUPE_API_KEY_FILE": file.path]] {
                let holder = try await troupe("dlq", "list", environment: environment.merging(more) { $1 })
                #expect(holder.code == 0 && holder.output == "no dead letters\n", "\(holder)")
            }
            let option = try await troupe("dlq", "list", "--gateway", url, "--key", key)
            #expect(option.code == 0)
            let wrong = try await troupe("dlq", "list", "--gateway", url, "--key", key + "x")
            #expect(wrong.code == 77 && !wrong.error.contains(key))
            let nowhere = try await troupe(
                "dlq", "list", "--gateway", url, environment: ["TROUPE_API_KEY_FILE": "/nowhere"])
            #expect(nowhere.code == 78 && nowhere.error.contains("TROUPE_API_KEY_FILE: '/nowhere' cannot be read"))
        }
        let refused = try await troupe("key", "new", "--name", "me", "--scopes", "everything")
        #expect(refused.code == 64 && refused.error.contains("none of: submit, read, operate, internal"))
    }

    @Test("a sidecar's report gets in with its key; at the wrong port, or without a key, it is kept and tried again")
    func sidecar() async throws {
        let log = RecordingLog()
        try await withKeys(configure: { $0.server.internalPort = 0 }) { gateway, keys in
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            #expect(try await gateway.client.post("/envelopes", body, headers: keys.headers(.submit)).status == 202)
            let loop = EventLoop(name: "reporter")
            func reporter(_ client: TestClient, key: String?) -> HTTPReporter {
                HTTPReporter(
                    to: "http://127.0.0.1:\(client.port)", key: key, with: HTTPClient(on: loop), on: loop,
                    logger: log.logger)
            }
            let report = StatusReport(
                kind: .final, eventID: "1", envelopeID: "e", status: "succeeded", actors: ["a"], currentActorIndex: 1)
            for (client, key) in [
                (gateway.inside, nil), (gateway.inside, keys[.read]), (gateway.client, keys[.internal]),
            ] {
                let reporter = reporter(client, key: key)
                let task = Task { try await reporter.deliver(report) }
                try await Task.sleep(for: .milliseconds(300))
                task.cancel()
                await #expect(throws: TransportError.self) { try await task.value }
            }
            for status in ["401", "403", "421"] { #expect(log.lines.contains { $0.contains("status \(status)") }) }
            try await reporter(gateway.inside, key: keys[.internal]).deliver(report)
            let envelope = try await gateway.client.get("/envelopes/e", headers: keys.headers(.read))
            #expect(envelope["status"]?.string == "succeeded")
            for scope in Scope.allCases { #expect(!log.lines.contains { $0.contains(keys[scope]) }) }
        }
    }
}
