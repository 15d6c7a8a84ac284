import Envelopes
import PostgreSQL
import Testing

@testable import Gateways

@Suite("Partial results", .serialized)
struct PartialResultTests {
    private func emitted(
        _ id: String, _ events: [(String, String)], event: String = "", at index: Int = 0, call: String = "c1",
        parent: String? = nil
    ) throws -> StatusReport {
        var report = StatusReport(
            kind: .emitted, eventID: event, envelopeID: id, parentID: parent, status: "running", actors: ["a", "b"],
            currentActorIndex: index, currentActorName: ["a", "b"][index], attempt: 1)
        report.call = call
        report.events = try events.map { EmittedEvent(type: $0.0, data: try RawJSON(Array($0.1.utf8))) }
        return report
    }

    private func tokens(_ id: String, _ numbers: Range<Int>, event: String = "", call: String = "c1") throws
        -> StatusReport
    {
        try emitted(id, numbers.map { ("token", "\($0)") }, event: event, call: call)
    }

    private func progress(_ id: String, _ status: String, event: String) -> StatusReport {
        StatusReport(
            kind: .progress, eventID: event, envelopeID: id, status: status, actors: ["a", "b"], currentActorIndex: 0)
    }

    private func final(_ id: String, event: String) -> StatusReport {
        StatusReport(
            kind: .final, eventID: event, envelopeID: id, status: "succeeded", actors: ["a", "b"], currentActorIndex: 2)
    }

    private func submit(_ gateway: TestGateway, _ id: String = "e") async throws {
        _ = try await gateway.client.post("/envelopes", #"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":1}"#)
    }

    private func data(_ events: [TestEventStream.Event]) -> [Int] {
        events.filter { $0.name == "partial" }.compactMap { $0["data"]?.integer }
    }

    @Test("stand in the stream where they were told, each once, with who told them", arguments: StoreKind.allCases)
    func stream(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway)
            let stream = try await gateway.client.events("/envelopes/e/stream")
            let reports = [
                progress("e", "processing", event: "1"), try tokens("e", 0..<3, event: "2"),
                // The broker delivers one again, and a call is made again.
                try tokens("e", 0..<3, event: "2"), try tokens("e", 0..<2, event: "3", call: "c2"),
                progress("e", "completed", event: "4"), final("e", event: "5"),
                try tokens("e", 7..<9, event: "6"), try tokens("nobody", 0..<1, event: "7"),
            ]
            for report in reports { gateway.transport.report(report) }
            let events = await stream.all()
            #expect(
                events.map { $0["call"]?.string ?? $0["envelope_state"]?.string ?? $0["status"]?.string } == [
                    "running", "processing", "c1", "c1", "c1", "c2", "c2", "completed", "succeeded",
                ])
            #expect(data(events) == [0, 1, 2, 0, 1])
            let ids = events.compactMap(\.id)
            #expect(ids == ids.sorted() && Set(ids).count == events.count)
            let first = try #require(events.first { $0.name == "partial" })
            #expect(first["id"]?.string == "e")
            #expect(first["actor"]?.string == "a")
            #expect(first["attempt"]?.integer == 1)
            #expect(first["type"]?.string == "token")
            #expect(first["status"] == nil)
            #expect(first["timestamp"]?.string.flatMap(Timestamp.microseconds) != nil)
            try await eventually("not all acknowledged") { gateway.transport.acknowledgedCount == reports.count }
        }
    }

    @Test("a stream that hung up goes on behind the last event it had", arguments: StoreKind.allCases)
    func resuming(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway)
            for number in 0..<30 {
                gateway.transport.report(try tokens("e", number * 10..<number * 10 + 10, event: "\(number)"))
            }
            gateway.transport.report(final("e", event: "end"))
            var last = "0"
            var seen: [Int] = []
            while true {
                let stream = try await gateway.client.events("/envelopes/e/stream", lastEventID: last)
                var events: [TestEventStream.Event] = []
                for await event in stream.events {
                    events.append(event)
                    if events.count == 37 { break }
                }
                stream.hangUp()
                seen += data(events)
                last = events.last?.eventID ?? last
                if events.count < 37 { break }
            }
            #expect(seen == Array(0..<300))
        }
    }

    @Test("what was told before an end that is in the same batch comes before it")
    func batches() throws {
        let reports = try [
            progress("e", "received", event: ""), tokens("f", 0..<1), progress("e", "processing", event: ""),
            tokens("e", 0..<1), tokens("e", 1..<2), progress("f", "completed", event: ""), final("e", event: ""),
            tokens("e", 2..<3),
        ].map { (report) throws in try ReadReport(report) }
        let stages = ReportBatch(reports).stages.map { stage in
            switch stage {
            case .changes(let changes): changes.map { "\($0.envelopeID) \($0.phase ?? "end")" }
            case .partials(let partials): partials.map { "\($0.envelopeID) \($0.events[0].data)" }
            }
        }
        #expect(
            stages == [
                ["e received", "e processing"], ["f 0", "e 0", "e 1"], ["f completed", "e end"], ["e 2"],
            ])
    }

    @Test(
        "progress moves the envelope within the actor's share, never back, with its message",
        arguments: StoreKind.allCases)
    func progress(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            try await submit(gateway)
            let store = database.store
            func append(_ data: String, at index: Int = 0) async throws {
                _ = try await store.append(
                    [try PartialResults(emitted("e", [("progress", data)], at: index))], limit: 100)
            }
            func state() async throws -> String {
                let envelope = try #require(try await store.envelope("e"))
                return "\(envelope.percent) \(envelope.message)"
            }
            _ = try await store.apply([try EnvelopeChange(progress("e", "processing", event: "1"))])
            try await append(#"{"percent":40,"message":"nearly half"}"#)
            #expect(try await state() == "35.0 nearly half")
            try await append(#"{"percent":20}"#)
            #expect(try await state() == "35.0 nearly half")
            try await append(#"{"percent":1e9,"message":"all"}"#, at: 1)
            #expect(try await state() == "100.0 all")
            for wrong in ["1", #"{"percent":"5"}"#, #"{"percent":1e999}"#, "null", #"{"percent":null,"message":5}"#] {
                try await append(wrong)
            }
            // An actor that the envelope has left behind.
            _ = try await store.apply([
                try EnvelopeChange(
                    StatusReport(
                        kind: .progress, eventID: "2", envelopeID: "e", status: "received", actors: ["a", "b"],
                        currentActorIndex: 1))
            ])
            try await append(#"{"percent":60,"message":"late"}"#)
            #expect(try await store.envelope("e")?.message == "Received message")
            #expect(try await store.envelope("e")?.status == .running)
        }
    }

    @Test("an envelope has its fill: one row says so, and its end comes all the same", arguments: StoreKind.allCases)
    func limit(kind: StoreKind) async throws {
        try await withGateway(kind) { configuration in
            configuration.partialLimit = 25
        } _: { gateway, _ in
            try await submit(gateway)
            for number in 0..<10 {
                gateway.transport.report(try tokens("e", number * 10..<number * 10 + 10, event: "\(number)"))
            }
            gateway.transport.report(final("e", event: "end"))
            let events = await (try gateway.client.events("/envelopes/e/stream")).all()
            #expect(data(events) == Array(0..<25))
            #expect(events.count == 28)
            let notice = try #require(events.dropLast().last)
            #expect(notice["type"]?.string == "log")
            #expect(notice["data"]?["message"]?.string?.contains("TROUPE_GATEWAY_PARTIAL_LIMIT") == true)
            #expect(events.last?["status"]?.string == "succeeded")
        }
    }

    @Test("a child's that overtake its registration register it", arguments: StoreKind.allCases)
    func orphans(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            let reports = [
                try PartialResults(emitted("c", [("token", "1")], parent: "p")),
                try PartialResults(emitted("c", [("token", "2")], parent: "p")),
                try PartialResults(emitted("nobody", [("token", "3")])),
            ]
            #expect(try await store.append(reports, limit: 10) == [.applied, .applied, .unknown])
            let updates = try #require(try await store.updates(of: "c", after: 0, limit: 10)).updates
            #expect(updates.map { $0.result.map { String(decoding: $0, as: UTF8.self) } } == [nil, "1", "2"])
            #expect(
                try #require(try await store.updates(of: "c", after: 0, limit: 10, withPartials: false)).updates.count
                    == 1)
        }
    }

    @Test("data keep every byte, and what no database takes holds up nothing else", arguments: StoreKind.allCases)
    func hostile(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            try await submit(gateway)
            let exact = #"{"b":12345678901234567890,"a": 1e400,"a":"\u0000\ud800 ü🎭"}"#
            let deep = String(repeating: "[", count: 4000) + String(repeating: "]", count: 4000)
            gateway.transport.report(try emitted("e", [("t\u{0}ype", exact), ("'; DROP TABLE envelopes; --", "1")]))
            gateway.transport.report(try emitted("e", [("deep", "[\n\r1]"), ("progress", #"{"message":"\u0000"}"#)]))
            var endless = try emitted("e", [])
            endless.events = [
                EmittedEvent(
                    type: "deep", data: try RawJSON(Array(deep.utf8), limits: JSONLimits(size: .max, nesting: 4096)))
            ]
            gateway.transport.report(endless)
            gateway.transport.report(Array(#"{"kind":"emitted","id":"e","status":"x","events":[7]}"#.utf8))
            gateway.transport.report(final("e", event: "end"))
            let events = await (try gateway.client.events("/envelopes/e/stream")).all()
            #expect(events.dropFirst().first?["type"]?.string == "t\u{FFFD}ype")
            #expect(events.dropFirst().first?["data"]?.description == exact)
            #expect(events.contains { $0["data"]?.description == "[  1]" })
            #expect(events.last?["status"]?.string == "succeeded")
        }
    }

    @Test("gateways that write at once keep each envelope's order", arguments: StoreKind.allCases)
    func twoWriters(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            let ids = (0..<10).map { "e\($0)" }
            for id in ids {
                let request = try SubmissionRequest(route: ["a", "b"], payload: .null, schedule: Schedule())
                _ = try await store.submit(request.submission(id: id), grace: .zero)
            }
            // Both read the same reports, as when one takes over from another.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        for number in 0..<20 {
                            let reports = try ids.shuffled().map {
                                try PartialResults(
                                    tokens($0, number * 5..<number * 5 + 5, event: "\(number)"))
                            }
                            _ = try await store.append(reports, limit: 1000)
                        }
                    }
                }
                try await group.waitForAll()
            }
            for id in ids {
                let updates = try #require(try await store.updates(of: id, after: 0, limit: 1000)).updates
                #expect(
                    updates.compactMap { $0.result.flatMap { Int(String(decoding: $0, as: UTF8.self)) } }
                        == Array(0..<100))
            }
        }
    }

    @Test("a thousand tokens a second of twenty envelopes are nothing special", arguments: StoreKind.allCases)
    func throughput(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let ids = (0..<20).map { "e\($0)" }
            for id in ids { try await submit(gateway, id) }
            let begin = ContinuousClock.now
            // As sidecars send them: 20 portions a second for each envelope, for ten seconds.
            for number in 0..<200 {
                for id in ids {
                    gateway.transport.report(try tokens(id, number * 5..<number * 5 + 5, event: "\(number)"))
                }
            }
            for id in ids { gateway.transport.report(final(id, event: "end")) }
            try await eventually(within: .seconds(60), "not all written") {
                gateway.transport.acknowledgedCount == 200 * 20 + 20
            }
            let time = begin.duration(to: .now)
            print("20000 partial results in 4020 reports written in \(time)")
            #expect(time < .seconds(20), "ten seconds' worth of twice as much")
            for id in ids.prefix(3) {
                let events = await (try gateway.client.events("/envelopes/\(id)/stream")).all()
                #expect(data(events) == Array(0..<1000))
            }
        }
    }
}
