import Envelopes
import Faults
import Testing
import Transports

@testable import Gateways

@Suite("Faults at the gateway", .serialized)
struct FaultEndpointTests {
    private func withFaults(
        _ kind: StoreKind, _ bounds: FaultBounds = FaultBounds(),
        _ body: (TestGateway, any TestStore) async throws -> Void
    ) async throws {
        try await withGateway(kind, configure: { $0.faults = bounds }, body)
    }

    /// What all sidecars were told so far.
    private func told(_ gateway: TestGateway) throws -> [FaultState] {
        try gateway.transport.controls(to: .control).flatMap { message -> [FaultState] in
            guard case .faults(let list) = message else { return [] }
            return try list.map { try FaultState($0) }
        }
    }

    @Test("off unless it is said, with what to set", arguments: StoreKind.allCases)
    func disabled(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let refused = try await gateway.client.post("/faults", #"{"kind":"drop","actor":"a"}"#)
            #expect(refused.status == 403 && refused.code == "faults_disabled")
            #expect(refused["detail"]?.string?.contains("TROUPE_FAULTS_ENABLED=true") == true)
            #expect(try await gateway.client.get("/faults").code == "faults_disabled")
            #expect(try await gateway.client.send("DELETE", "/faults").code == "faults_disabled")
        }
    }

    @Test(
        "a fault is told to all, listed with its time, and told again when it is reset", arguments: StoreKind.allCases)
    func life(kind: StoreKind) async throws {
        try await withFaults(kind) { gateway, _ in
            let begun = try await gateway.client.post(
                "/faults",
                #"{"kind":"latency","actor":"a","delay":"500ms","duration":"1m","owner":"me","match":{"mission":"m"}}"#)
            #expect(begun.status == 201 && begun["state"]?.string == "active")
            let id = try #require(begun["id"]?.string)
            let left = try #require(begun["milliseconds_left"]?.integer)
            #expect((55_000...60_000).contains(left) && begun["seed"]?.integer != nil)
            try await eventually("nobody is told") { try self.told(gateway).map(\.fault.id) == [id] }
            #expect(try told(gateway)[0].fault.delay == .milliseconds(500))

            _ = try await gateway.client.post("/faults", #"{"kind":"drop","actor":"*"}"#)
            #expect(try await gateway.client.get("/faults")["faults"]?.elements.count == 2)
            let own = try await gateway.client.get("/faults?owner=me&actor=a")
            #expect(own["faults"]?.elements.map { $0["id"]?.string } == [id])
            #expect(try await gateway.client.get("/faults?actors=a").code == "invalid_request")

            let reset = try await gateway.client.send("DELETE", "/faults?owner=me")
            #expect(reset.status == 200 && reset["faults"]?.elements.first?["state"]?.string == "reset")
            try await eventually("its end is not told") {
                try self.told(gateway).contains { $0.fault.id == id && $0.isReset }
            }
            #expect(try await gateway.client.get("/faults")["faults"]?.elements.count == 1)
            #expect(try await gateway.client.get("/faults?all=true")["faults"]?.elements.count == 2)
            #expect(try await gateway.client.send("DELETE", "/faults/\(id)").status == 200, "it has ended already")
            #expect(try await gateway.client.send("DELETE", "/faults/nobody").code == "unknown_fault")
            #expect(try await gateway.client.send("DELETE", "/faults")["faults"]?.elements.count == 1)
            #expect(try await gateway.client.get("/faults")["faults"]?.elements.isEmpty == true)
        }
    }

    @Test("the same id starts no second one, not even after its end", arguments: StoreKind.allCases)
    func idempotent(kind: StoreKind) async throws {
        try await withFaults(kind) { gateway, _ in
            let body = #"{"id":"v:1","kind":"error","actor":"a","duration":"500ms"}"#
            let first = try await gateway.client.post("/faults", body)
            let second = try await gateway.client.post("/faults", body)
            #expect(first.status == 201 && second.status == 200)
            #expect(first["until"]?.string == second["until"]?.string)
            #expect(first["seed"]?.integer == second["seed"]?.integer)
            let other = try await gateway.client.post("/faults", #"{"id":"v:1","kind":"drop","actor":"a"}"#)
            #expect(other.status == 409 && other.code == "duplicate_fault")
            try await Task.sleep(for: .milliseconds(600))
            #expect(try await gateway.client.get("/faults")["faults"]?.elements.isEmpty == true, "nobody has reset it")
            let third = try await gateway.client.post("/faults", body)
            #expect(third.status == 200 && third["state"]?.string == "expired")
        }
    }

    @Test("what breaks a bound is refused, and so is one too many", arguments: StoreKind.allCases)
    func bounds(kind: StoreKind) async throws {
        var bounds = FaultBounds()
        bounds.active = 2
        try await withFaults(kind, bounds) { gateway, _ in
            let long = try await gateway.client.post("/faults", #"{"kind":"latency","actor":"a","delay":"5m"}"#)
            #expect(long.status == 400 && long.code == "invalid_fault" && long["pointer"]?.string == "/delay")
            for actor in ["happy-end", "a b"] {
                let odd = try await gateway.client.post("/faults", #"{"kind":"drop","actor":"\#(actor)"}"#)
                #expect(odd.code == "invalid_fault" && odd["pointer"]?.string == "/actor")
            }
            for id in ["x", "y"] {
                let body = #"{"id":"\#(id)","kind":"drop","actor":"a"}"#
                #expect(try await gateway.client.post("/faults", body).status == 201)
            }
            let third = try await gateway.client.post("/faults", #"{"kind":"drop","actor":"a"}"#)
            #expect(third.status == 409 && third.code == "too_many_faults")
            #expect(try await gateway.client.send("DELETE", "/faults/x").status == 200)
            #expect(try await gateway.client.post("/faults", #"{"kind":"drop","actor":"a"}"#).status == 201)
        }
    }

    @Test(
        "a sidecar that starts later is told the active ones before the end of the answer",
        arguments: StoreKind.allCases)
    func late(kind: StoreKind) async throws {
        try await withFaults(kind) { gateway, store in
            let now = Timestamp.microsecondsNow()
            for (id, ago) in [("over", 60), ("here", 1)] {
                let fault = try Fault(
                    request: RawJSON(Array(#"{"kind":"hang","actor":"a","duration":"30s"}"#.utf8)), id: id, seed: 1,
                    now: now - Int64(ago) * 1_000_000, bounds: FaultBounds())
                #expect(try await store.store.inject(fault, by: nil, limit: 10, now: now))
            }
            gateway.transport.deliver(ControlRequest(actor: "a", inbox: "a.1").encoded(), from: .controlRequests)
            try await eventually("no answer") { gateway.transport.controls(to: .controlInbox("a.1")).count == 3 }
            let answers = gateway.transport.controls(to: .controlInbox("a.1"))
            guard case .cancel = answers[0], case .faults(let faults) = answers[1], case .pauses = answers[2] else {
                Issue.record("\(answers)")
                return
            }
            #expect(try faults.map { try FaultState($0).fault.id } == ["here"])
        }
    }

    @Test("they are told again until they end by themselves, and forgotten after a day", arguments: StoreKind.allCases)
    func repetition(kind: StoreKind) async throws {
        try await withStore(kind) { database in
            let store = database.store
            let fault = try Fault(
                request: RawJSON(Array(#"{"kind":"drop","actor":"a","duration":"60s"}"#.utf8)), id: "f", seed: 1,
                now: 0,
                bounds: FaultBounds())
            #expect(try await store.inject(fault, by: "me", limit: 1, now: 0))
            func due(_ seconds: Int64) async throws -> [FaultState] {
                try await store.faultsToAnnounce(limit: 10, now: seconds * 1_000_000)
            }
            let first = try await due(0)
            #expect(first == [FaultState(fault)])
            try await store.markAnnounced(first, now: 0)
            #expect(try await due(9).isEmpty)
            #expect(try await due(11) == first)
            // It is reset between the look and the note of it: the reset is still to be told.
            #expect(try await store.resetFaults(FaultFilter(), by: "you", now: 12_000_000).map(\.resetBy) == ["you"])
            try await store.markAnnounced(first, now: 12_000_000)
            let reset = try await due(12)
            #expect(reset == [FaultState(fault, isReset: true)])
            try await store.markAnnounced(reset, now: 12_000_000)
            #expect(try await due(13).isEmpty)
            #expect(try await due(30) == reset)
            #expect(try await due(61).isEmpty)
            let kept = try await store.faults(FaultFilter(id: "f"), limit: 1, now: 0)
            #expect(kept.first?.injectedBy == "me" && kept.first?.resetAt == 12_000_000)
            try await store.forgetFaults(endedBefore: 61_000_000)
            #expect(try await store.faults(FaultFilter(), limit: 1, now: 0).isEmpty)
        }
    }

    @Test("an envelope's steps tell what went wrong on purpose", arguments: StoreKind.allCases)
    func steps(kind: StoreKind) async throws {
        try await withFaults(kind) { gateway, _ in
            _ = try await gateway.client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#)
            var report = StatusReport(
                kind: .emitted, eventID: "e/2", envelopeID: "e", status: "running", actors: ["a"], currentActorIndex: 0,
                currentActorName: "a")
            let mark = RawJSON(stored: Array(#"{"injected":true,"fault":"f","kind":"latency","message":"slow"}"#.utf8))
            report.events = [
                EmittedEvent(type: "fault", data: mark), EmittedEvent(type: "fault", data: RawJSON(string: "mine")),
                EmittedEvent(type: "log", data: .null),
            ]
            // It may overtake the news for which nobody waits.
            gateway.transport.report(report)
            gateway.transport.report(
                StatusReport(
                    kind: .progress, eventID: "e/1", envelopeID: "e", status: "received", actors: ["a"],
                    currentActorIndex: 0, currentActorName: "a"))
            try await eventually("no steps") {
                try await gateway.client.get("/envelopes/e")["steps"]?.elements.first?["faults"] != nil
            }
            let steps = try #require(try await gateway.client.get("/envelopes/e")["steps"]).elements
            #expect(steps.count == 1 && steps[0]["faults"]?.elements.map(\.description) == [mark.description])
            let history = try #require(try await gateway.client.get("/envelopes/e/history")["updates"]).elements
            #expect(history.contains { $0["type"]?.string == "fault" && $0["data"]?["injected"]?.boolean == true })
        }
    }
}
