import Envelopes
import Foundation
import TestSupport
import Testing

/// Fan-in as a user runs it: processes, the broker, PostgreSQL.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct FanInPipelineTests {
    /// `{"n": 3, ...}` becomes three payloads, or those in `"parts"`.
    private static let split = """
        def process(payload):
            if "parts" in payload:
                return payload["parts"]
            return [dict(payload, i=i) for i in range(payload["n"])]
        """

    private func withPipeline(_ body: (Pipeline) async throws -> Void) async throws {
        let pipeline = try await Pipeline()
        do {
            try pipeline.add("split", python: Self.split)
            try await body(pipeline)
        } catch {
            print(pipeline.logs)
            try await pipeline.stop()
            throw error
        }
        try await pipeline.stop()
    }

    /// The first envelopes that pass, by id.
    private func collect(
        _ count: Int, _ stream: AsyncStream<Envelope>, where isWanted: @escaping @Sendable (Envelope) -> Bool
    ) async throws -> [String: Envelope] {
        try await within(.seconds(60), "\(count) envelopes") {
            var found: [String: Envelope] = [:]
            for await envelope in stream where isWanted(envelope) {
                found[envelope.id] = envelope
                if found.count == count { break }
            }
            return found
        }
    }

    /// Whether its route is done: pieces that were collected end before.
    private static func isDone(_ envelope: Envelope) -> Bool { envelope.route.currentActor == nil }

    @Test(arguments: FanInStoreKind.allCases)
    func killedReplicasLoseNoPieceAndReleaseNoGroupTwiceDifferently(kind: FanInStoreKind) async throws {
        try await withPipeline { pipeline in
            let replicas =
                switch kind {
                case .postgreSQL: [try pipeline.addFanIn(), try pipeline.addFanIn()]
                case .sqlite: [try pipeline.addFanInOnFile()]
                }
            let (groups, count) = (200, 20)
            let good = await pipeline.arrivals(at: "happy-end")
            let bad = await pipeline.arrivals(at: "error-end")
            let clock = ContinuousClock.now

            let killing = Task {
                var generator = SeededGenerator(seed: 1)
                for kills in 0... {
                    let pause = Int.random(in: 300...700, using: &generator)
                    guard (try? await Task.sleep(for: .milliseconds(pause))) != nil else { return kills }
                    let victim = replicas[Int.random(in: replicas.indices, using: &generator)]
                    if Bool.random(using: &generator) { try victim.killSidecar() } else { try victim.killHandler() }
                }
                return 0
            }
            for group in 0..<groups {
                try await pipeline.submit("g\(group)", ["split", "fan-in"], payload: #"{"g":\#(group),"n":\#(count)}"#)
            }
            let (released, collected, doubles) = try await within(.seconds(200), "all groups") {
                var released: [String: Envelope] = [:]
                var collected: [String: Int] = [:]
                var doubles = 0
                for await envelope in good {
                    if Self.isDone(envelope) {
                        if let earlier = released[envelope.id] {
                            doubles += 1
                            #expect(earlier.payload == envelope.payload, "\(envelope.id) was released differently")
                        }
                        released[envelope.id] = envelope
                    } else {
                        collected[envelope.id, default: 0] += 1
                    }
                    if released.count == groups && collected.count == groups * (count - 1) { break }
                }
                return (released, collected, doubles)
            }
            killing.cancel()
            let kills = try await killing.value
            print(
                "fan-in: \(groups) groups in \(ContinuousClock.now - clock), \(doubles) released again, \(kills) kills")
            #expect(Set(released.keys) == Set((0..<groups).map { "g\($0)" }))
            for group in 0..<groups {
                let list = released["g\(group)"]?.payload.elements ?? []
                #expect(list.map { $0["i"]?.integer } == Array(0..<count), "g\(group)")
                #expect(list.allSatisfy { $0["g"]?.integer == group })
                for index in 1..<count { #expect(collected["g\(group)-\(index)"] != nil) }
            }
            #expect(released.values.allSatisfy { $0.headers[Headers.fanOut] == nil && $0.parentID == nil })
            if kind == .postgreSQL {
                let rows = try await pipeline.database.pool.query(
                    "SELECT count(*), min(arrived), min(outcome), (SELECT count(*) FROM fan_in_pieces) FROM fan_in_groups"
                )
                #expect(try rows[0].integer(0) == groups && rows[0].integer(1) == count)
                #expect(try rows[0].string(2) == "released" && rows[0].integer(3) == groups * count)
            }
            // What a kill has doubled ends too, with the same list; nobody was failed.
            try await eventually("nothing is left in the broker") { try pipeline.messagesLeft() == 0 }
            await pipeline.transport.stopConsuming()
            for await envelope in good where Self.isDone(envelope) {
                #expect(envelope.payload == released[envelope.id]?.payload, "\(envelope.id) was released differently")
            }
            for await envelope in bad { Issue.record("\(envelope.id) failed: \(envelope.payload)") }
        }
    }

    @Test func fanOutsWithinFanOutsAreJoinedFromTheInside() async throws {
        try await withPipeline { pipeline in
            try pipeline.addFanIn()
            try pipeline.add("chapters", python: Self.split)
            let good = await pipeline.arrivals(at: "happy-end")
            // The second chapter has a single part: without "splits" nobody could tell that it is one of a fan-out.
            try await pipeline.submit(
                "book", ["chapters", "split", "fan-in", "fan-in"],
                headers: #"{"troupe-fan-in":{"splits":["chapters","split"]}}"#,
                payload: #"{"parts":[{"parts":[1,2]},{"parts":["a"]},{"parts":[12345678901234567890,null,1.5]}]}"#)
            let released = try await collect(1, good, where: Self.isDone)
            #expect(released["book"]?.payload.description == #"[[1,2],["a"],[12345678901234567890,null,1.5]]"#)
            #expect(released["book"]?.headers[Headers.fanOut] == nil)
        }
    }

    @Test func whatIsMissingAtTheDeadlineFailsOrLeavesAGap() async throws {
        let half = """
            def process(payload):
                return None if payload["i"] in (1, 3) else payload["i"]
            """
        try await withPipeline { pipeline in
            try pipeline.addFanIn()
            try pipeline.add("half", python: half)
            let (good, bad) = (await pipeline.arrivals(at: "happy-end"), await pipeline.arrivals(at: "error-end"))
            for (id, onMissing) in [("f", "fail"), ("r", "release")] {
                try await pipeline.submit(
                    id, ["split", "half", "fan-in"],
                    headers: #"{"troupe-fan-in":{"timeout_ms":1500,"on_missing":"\#(onMissing)"}}"#,
                    payload: #"{"n":5}"#)
            }
            let released = try await collect(1, good, where: Self.isDone)
            #expect(released["r"]?.payload.description == "[0,null,2,null,4]")
            #expect(released["r"]?.headers["troupe-fan-in-missing"]?.description == "[1,3]")
            let failed = try await collect(1, bad) { _ in true }
            let details = failed["f"]?.payload["details"]
            #expect(details?["type"]?.string == "fan_in_incomplete")
            let message = details?["message"]?.string ?? ""
            #expect(message.hasPrefix("2 of 5 pieces are missing after 1."), "\(message)")
            #expect(message.hasSuffix(": 1, 3 (fan-in/fan-out/f/0)"), "\(message)")
            #expect(failed["f"]?.payload["original_payload"]?.description == "0")
        }
    }

    @Test func envelopesWithAKeyComeTogetherAndWrongHeadersFailByName() async throws {
        try await withPipeline { pipeline in
            try pipeline.addFanIn()
            let (good, bad) = (await pipeline.arrivals(at: "happy-end"), await pipeline.arrivals(at: "error-end"))
            for index in [2, 1, 0] {
                try await pipeline.submit(
                    "k\(index)", ["fan-in"], headers: #"{"troupe-fan-in":{"key":"k","count":3,"index":\#(index)}}"#,
                    payload: "\(index)")
            }
            try await pipeline.submit("alone", ["fan-in"], payload: "7")
            try await pipeline.submit("wrong", ["fan-in"], headers: #"{"troupe-fan-in":{"key":7}}"#, payload: "7")
            let released = try await collect(2, good, where: Self.isDone)
            #expect(released["k0"]?.payload.description == "[0,1,2]")
            #expect(released["alone"]?.payload.description == "[7]")
            let failed = try await collect(1, bad) { _ in true }
            #expect(failed["wrong"]?.payload["details"]?["type"]?.string == "fan_in_header")
            #expect(failed["wrong"]?.payload["original_payload"]?.description == "7")
        }
    }
}
