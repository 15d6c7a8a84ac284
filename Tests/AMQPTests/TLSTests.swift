import AMQP
import EventLoops
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3)))
struct TLSTests {
    private static func endpoint(authorities: String? = nil) throws -> Endpoint {
        var endpoint = try Endpoint(url: TestServers.rabbitMQTLSURL)
        endpoint.tls = try Endpoint.TLS(authorities: authorities ?? TestServers.rabbitMQAuthority)
        return endpoint
    }

    private func refusal(_ endpoint: Endpoint) async -> AMQPError? {
        await #expect(throws: AMQPError.self) {
            try await Publisher.open(endpoint, on: EventLoop(name: "tls"), setUp: { _ in }, onEnd: { _ in })
        }
    }

    @Test func carriesMessages() async throws {
        let pair = try await BrokerTests.Pair(Self.endpoint())
        // Over many records of TLS.
        for size in [0, 1, 16_384, 131_064, 3_000_000] {
            let body = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
            #expect(await pair.publish(body) == .confirmed)
            let received = try await pair.next("\(size) bytes")
            #expect(received.body == body)
            await pair.consumer.acknowledge(received.tag)
        }
        await pair.close()
    }

    @Test func staysConnectedWhileIdle() async throws {
        var endpoint = try Self.endpoint()
        endpoint.heartbeatSeconds = 1
        let pair = try await BrokerTests.Pair(endpoint)
        try await Task.sleep(for: .seconds(4))
        #expect(await pair.publish([1]) == .confirmed)
        #expect(try await pair.next().body == [1])
        await pair.close()
    }

    @Test func refusesACertificateOfAnotherAuthority() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("troupe-tls-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let other = folder.appendingPathComponent("other.pem").path
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        openssl.arguments =
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-subj", "/CN=Troupe tests", "-days", "2", "-keyout", "/dev/null", "-out", other]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        #expect(openssl.terminationStatus == 0)

        let error = await refusal(try Self.endpoint(authorities: other))
        #expect(error?.code == .tls, "\(String(describing: error))")
        // The machine's own authorities have not signed it either.
        var endpoint = try Self.endpoint()
        endpoint.tls = Endpoint.TLS()
        if FileManager.default.fileExists(atPath: Endpoint.TLS().authorities) {
            #expect(await refusal(endpoint)?.code == .tls)
        }
    }

    @Test func refusesAnotherHostName() async throws {
        var endpoint = try Self.endpoint()
        // The same server by a name that is not in its certificate.
        endpoint.host = "127.0.0.1"
        let error = await refusal(endpoint)
        #expect(error?.code == .tls)
        #expect(error?.message.lowercased().contains("hostname") == true, "\(String(describing: error))")
    }

    @Test func namesAFileThatItCannotRead() async throws {
        let error = await refusal(try Self.endpoint(authorities: "/no/such.pem"))
        #expect(error?.code == .tls)
        #expect(error?.message.contains("'/no/such.pem'") == true)
    }

    @Test func aPlainPortIsNoTLS() async throws {
        var endpoint = try Self.endpoint()
        endpoint.port = try Endpoint(url: TestServers.rabbitMQURL).port
        endpoint.timeout = .seconds(5)
        #expect(await refusal(endpoint)?.code == .tls)
    }
}
