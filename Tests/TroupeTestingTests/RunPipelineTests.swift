import ActorKit
import Foundation
import Testing
import TroupeTesting

private struct Greeter: Handler {
    func handle(_ name: String, _ context: Context) async throws -> String {
        context.emit(log: "greeting \(name)")
        return "Hello, \(name)!"
    }
}

private struct Shouter: Handler {
    func handle(_ text: String, _ context: Context) async throws -> String { text.uppercased() }
}

private struct Splitter: RawHandler {
    func handle(_ payload: RawJSON, _ context: Context) async throws -> [RawJSON] { payload.elements }
}

/// Fails as often as its payload says.
private struct Moody: Handler {
    func handle(_ failures: Int, _ context: Context) async throws -> String {
        if context.attempt <= failures { throw Mood(description: "not now") }
        return "attempt \(context.attempt)"
    }

    struct Mood: Error, CustomStringConvertible { let description: String }
}

private struct Sleeper: RawHandler {
    func handle(_ payload: RawJSON, _ context: Context) async throws -> [RawJSON] {
        try await Task.sleep(for: .seconds(60))
        return [payload]
    }
}

/// Comes back to itself, with pauses, until it has counted to three.
private struct Looper: EnvelopeHandler {
    func handle(_ envelope: Envelope, _ context: Context) async throws -> [Envelope] {
        var next = envelope
        let count = (envelope.payload.integer ?? 0) + 1
        next.payload = RawJSON(integer: count)
        next.route.current += 1
        if count < 3 {
            next.route.actors.append("count")
            next.headers["troupe-delay-ms"] = RawJSON(integer: 50)
        }
        return [next]
    }
}

@Suite(.timeLimit(.minutes(2))) struct RunPipelineTests {
    @Test func anEnvelopeGoesThroughAllOfItsRoute() async throws {
        let end = try await runPipeline(
            ["greet": .handler(Greeter()), "shout": .handler(Shouter())], route: ["greet", "shout"], payload: "Ada",
            headers: ["tenant": "t1"])
        #expect(try end.result() == "HELLO, ADA!")
        #expect(end.status == .succeeded && end.error == nil && end.children.isEmpty)
        #expect(end.route == ["greet", "shout"])
        #expect(end.headers["tenant"]?.string == "t1")
        #expect(end.events.map(\.type) == ["log"])
        #expect(end.events.first?.data["message"]?.string == "greeting Ada")
    }

    @Test func childrenOfAFanOutEndWithIt() async throws {
        let count = 200
        let end = try await runPipeline(
            ["split": .handler(Splitter()), "shout": .handler(Shouter())], route: ["split", "shout"],
            payload: (0..<count).map { "word \($0)" })
        let results = try ([end] + end.children).map { try $0.result(as: String.self) }
        #expect(Set(results) == Set((0..<count).map { "WORD \($0)" }))
        #expect(results.count == count)
    }

    @Test func anEmptyReplyEndsItThere() async throws {
        let end = try await runPipeline(
            ["split": .handler(Splitter()), "shout": .handler(Shouter())], route: ["split", "shout"],
            payload: [String]())
        #expect(end.status == .succeeded && end.children.isEmpty)
    }

    @Test func aFailureIsTheEndAndSaysWhy() async throws {
        let end = try await runPipeline(["moody": .handler(Moody())], route: ["moody"], payload: 5)
        #expect(end.status == .failed)
        #expect(end.error?.code == "processing_error" && end.error?.type == "Mood" && end.error?.message == "not now")
        #expect(end.payload.integer == 5)
        #expect(throws: PipelineEnd.Failure.self) { try end.result(as: String.self) }
    }

    @Test func settingsAreThoseOfASidecar() async throws {
        let end = try await runPipeline(
            ["moody": .handler(Moody())], route: ["moody"], payload: 2,
            settings: ["TROUPE_RETRY_ATTEMPTS": "3", "TROUPE_RETRY_INITIAL_DELAY": "50ms"])
        #expect(try end.result() == "attempt 3")

        let error = await #expect(throws: PipelineError.self) {
            try await runPipeline(
                ["moody": .handler(Moody())], route: ["moody"], payload: 2, settings: ["TROUPE_RETRY_ATTEMPTS": "many"])
        }
        #expect(error?.code == .wrongSettings && error?.message.contains("TROUPE_RETRY_ATTEMPTS") == true)
    }

    @Test func aRouteMayLeadBack() async throws {
        let end = try await runPipeline(["count": .handler(Looper())], route: ["count"], payload: 0)
        #expect(try end.result() == 3)
    }

    @Test func aHandlerInPythonIsServedAsEver() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("handlers-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try "def process(payload):\n    return {'words': len(payload.split())}\n".write(
            to: folder.appendingPathComponent("count_words.py"), atomically: true, encoding: .utf8)
        let count = TestActor.command(
            ["python3", "actors/runtime/troupe_runtime.py"],
            environment: ["TROUPE_HANDLER": "count_words.process", "PYTHONPATH": folder.path])
        let end = try await runPipeline(
            ["greet": .handler(Greeter()), "count": count], route: ["greet", "count"], payload: "Ada Lovelace")
        #expect(try end.result(as: [String: Int].self) == ["words": 3])

        let error = await #expect(throws: PipelineError.self) {
            try await runPipeline(
                ["count": .command(["python3", "nowhere.py"])], route: ["count"], payload: 1)
        }
        #expect(error?.code == .handlerEnded && error?.message.contains("'count'") == true)
    }

    @Test func mistakesOfTheTestAreTold() async throws {
        let unknown = await #expect(throws: PipelineError.self) {
            try await runPipeline(["greet": .handler(Greeter())], route: ["greet", "shuot"], payload: 1)
        }
        #expect(unknown?.message == "no handler for 'shuot' of the route; there are: greet")
        let empty = await #expect(throws: PipelineError.self) {
            try await runPipeline(["greet": .handler(Greeter())], route: [], payload: 1)
        }
        #expect(empty?.code == .wrongRoute)
        let noJSON = await #expect(throws: PipelineError.self) {
            try await runPipeline(["greet": .handler(Greeter())], route: ["greet"], payload: Double.nan)
        }
        #expect(noJSON?.code == .wrongPayload)
    }

    @Test func whatDoesNotEndIsGivenUpWithItsPlace() async throws {
        let start = ContinuousClock.now
        let error = await #expect(throws: PipelineError.self) {
            try await runPipeline(
                ["greet": .handler(Greeter()), "sleep": .handler(Sleeper())], route: ["greet", "sleep"], payload: "x",
                timeout: .seconds(1))
        }
        #expect(error?.code == .timeout && error?.message.contains("'sleep'") == true, "\(String(describing: error))")
        #expect(start.duration(to: .now) < .seconds(20))
    }

    @Test func manyRunSideBySide() async throws {
        try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<8 {
                group.addTask {
                    try await runPipeline(["greet": .handler(Greeter())], route: ["greet"], payload: "\(number)")
                        .result()
                }
            }
            var greetings: Set<String> = []
            for try await greeting in group { greetings.insert(greeting) }
            #expect(greetings == Set((0..<8).map { "Hello, \($0)!" }))
        }
    }
}
