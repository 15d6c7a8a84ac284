import Testing

@testable import ActorKit

@Suite
struct ActorSettingsTests {
    @Test func defaults() throws {
        let settings = try ActorSettings(environment: [:], mode: .payload)
        #expect(settings.socketPath == "/var/run/troupe/runtime.sock")
        #expect(settings.readyPath == "/var/run/troupe/runtime-ready")
        #expect(settings.socketMode == 0o660)
        #expect(settings.concurrency == 1)
        #expect(settings.validates)
        #expect(settings.maximumMessageBytes == 64 << 20)
        #expect(settings.logLevel == .info)
    }

    @Test func asyaNames() throws {
        let settings = try ActorSettings(
            environment: ["ASYA_SOCKET_DIR": "/a/", "ASYA_CONCURRENCY": "3"], mode: .payload)
        #expect(settings.socketPath == "/a/asya-runtime.sock")
        #expect(settings.concurrency == 3)
        let mixed = try ActorSettings(
            environment: ["ASYA_SOCKET_DIR": "/a", "TROUPE_SOCKET_DIR": "/t"], mode: .payload)
        #expect(mixed.socketPath == "/t/runtime.sock")
    }

    @Test(arguments: [("666", 0o666 as UInt32?), ("0o600", 0o600), ("0", 0), ("", nil)])
    func socketModes(_ text: String, _ mode: UInt32?) throws {
        #expect(try ActorSettings(environment: ["TROUPE_SOCKET_CHMOD": text], mode: .payload).socketMode == mode)
    }

    @Test(arguments: [
        ("TROUPE_HANDLER_MODE", "envelope"), ("TROUPE_HANDLER_MODE", "x"), ("TROUPE_CONCURRENCY", "0"),
        ("ASYA_CONCURRENCY", "-1"), ("TROUPE_CONCURRENCY", "1025"), ("TROUPE_CONCURRENCY_MODE", "processes"),
        ("TROUPE_SOCKET_NAME", "a/b"), ("TROUPE_SOCKET_NAME", ".."), ("TROUPE_SOCKET_NAME", "runtime-ready"),
        ("TROUPE_SOCKET_CHMOD", "0888"), ("TROUPE_SOCKET_CHMOD", "7777"), ("TROUPE_SOCKET_CHMOD", "-1"),
        ("TROUPE_MAX_MESSAGE_BYTES", "99999999999999999999"), ("TROUPE_CHUNK_SIZE", "0"), ("TROUPE_LOG_LEVEL", "loud"),
        ("TROUPE_ENABLE_VALIDATION", "maybe"),
    ])
    func wrongSettingsAreRefusedByName(_ name: String, _ value: String) throws {
        let error = try #require(throws: StartError.self) {
            try ActorSettings(environment: [name: value], mode: .payload)
        }
        #expect(error.exitCode == 78)
        #expect(error.message.contains(name) && error.message.contains(value))
    }

    @Test func allMistakesAtOnce() throws {
        let environment = ["TROUPE_CONCURRENCY": "many", "TROUPE_LOG_LEVEL": "loud"]
        let error = try #require(throws: StartError.self) {
            try ActorSettings(environment: environment, mode: .payload)
        }
        #expect(error.message.split(separator: "\n").count == 2)
    }
}
