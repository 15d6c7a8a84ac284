import Foundation
import Logging
import Telemetry
import Testing

struct JSONLogHandlerTests {
    /// What a logger of that level writes.
    private func lines(
        level: Logger.Level = .info, _ body: @Sendable (inout Logger) async -> Void
    ) async throws -> [[String: String]] {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        var logger = Logger(label: "test.label") { JSONLogHandler(label: $0, level: level, descriptor: descriptor) }
        await body(&logger)
        try pipe.fileHandleForWriting.close()
        let text = try #require(String(data: pipe.fileHandleForReading.readDataToEndOfFile(), encoding: .utf8))
        #expect(text.isEmpty || text.hasSuffix("\n"))
        return try text.split(separator: "\n", omittingEmptySubsequences: true).map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            return try #require(object as? [String: String], "\(line)")
        }
    }

    @Test func writesOneObjectALine() async throws {
        let lines = try await lines { logger in
            logger[metadataKey: "actor"] = "split"
            logger[metadataKey: "attempt"] = "1"
            logger.info("all \"well\"\nand more \u{0} ü", metadata: ["attempt": "\(2)", "list": ["a", "b"]])
            logger.error("bad")
        }
        #expect(lines.count == 2)
        #expect(lines[0]["message"] == "all \"well\"\nand more \u{0} ü")
        #expect(lines[0]["level"] == "info")
        #expect(lines[0]["logger"] == "test.label")
        #expect(lines[0]["actor"] == "split")
        #expect(lines[0]["attempt"] == "2", "what the call says stands above what the logger knows")
        #expect(lines[0]["list"]?.contains("a") == true)
        let time = try #require(lines[0]["time"])
        let age = try Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(time).timeIntervalSinceNow
        #expect(abs(age) < 60)
        #expect(lines[1]["level"] == "error")
        #expect(lines[1]["attempt"] == "1")
    }

    @Test func whatTheCallSaysStandsAboveWhatIsKnownOfTheWork() async throws {
        let pipe = Pipe()
        let provider = Logger.MetadataProvider { ["trace_id": "t", "envelope_id": "of the work"] }
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        let logger = Logger(label: "l") {
            JSONLogHandler(label: $0, descriptor: descriptor, metadataProvider: provider)
        }
        logger.info("m", metadata: ["envelope_id": "e"])
        try pipe.fileHandleForWriting.close()
        let line = try #require(String(data: pipe.fileHandleForReading.readDataToEndOfFile(), encoding: .utf8))
        #expect(line.contains(#""envelope_id":"e","trace_id":"t"}"#))
    }

    @Test func keepsToItsLevel() async throws {
        let lines = try await lines(level: .warning) { logger in
            logger.info("no")
            logger.warning("yes")
            logger.logLevel = .debug
            logger.debug("now too")
        }
        #expect(lines.map { $0["message"] } == ["yes", "now too"])
    }

    @Test func metadataCannotPassForTheMessage() async throws {
        let lines = try await lines { logger in
            logger.info("true", metadata: ["message": "false", "time": "never", "level": "x", "logger": "y"])
        }
        #expect(lines[0]["message"] == "true")
        #expect(lines[0]["message_"] == "false")
        #expect(lines[0]["level"] == "info")
        #expect(lines[0]["time_"] == "never")
    }

    @Test func tellsTheErrorThatGoesWithTheMessage() async throws {
        struct Trouble: Error, CustomStringConvertible { let description = "trouble" }
        let lines = try await lines { logger in
            logger.error("failed", error: Trouble(), metadata: ["error": "other"])
            logger.error("failed", metadata: ["error": "alone"])
        }
        #expect(lines[0]["error"] == "trouble")
        #expect(lines[0]["error_"] == "other")
        #expect(lines[1]["error"] == "alone")
    }

    @Test func linesOfManyThreadsDoNotMix() async throws {
        let lines = try await lines { logger in
            let logger = logger
            await withTaskGroup(of: Void.self) { group in
                for task in 0..<8 {
                    group.addTask { for line in 0..<20 { logger.info("\(task) \(line)", metadata: ["m": "x"]) } }
                }
            }
        }
        #expect(Set(lines.compactMap { $0["message"] }).count == 160)
    }
}
