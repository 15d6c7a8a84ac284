import Envelopes
import Foundation
import PostgreSQL
import TestSupport
import Testing

@testable import Gateways

@Suite("Streams of many envelopes", .serialized)
struct ManyStreamTests {
    private func submit(_ client: TestClient, _ id: String, _ more: String = "") async throws {
        let answer = try await client.post(
            "/envelopes", #"{"id":"\#(id)","route":{"actors":["a"]},"payload":1\#(more)}"#)
        #expect(answer.status == 202)
    }

    private func finish(_ client: TestClient, _ id: String, _ status: String = "succeeded") async throws {
        let answer = try await client.post(
            "/envelopes/\(id)/final",
            #"{"status":"\#(status)","actors":["a"],"current_actor_idx":1,"current_actor_name":"a"}"#)
        #expect(answer.status == 200)
    }

    private func texts(_ events: [TestEventStream.Event]) -> [String] {
        events.map { "\($0["id"]?.string ?? "") \($0["status"]?.string ?? "")" }
    }

    /// The next so many events, comments left out.
    private func take(_ count: Int, _ stream: TestEventStream) async throws -> [TestEventStream.Event] {
        try await withThrowingTaskGroup(of: [TestEventStream.Event].self) { group in
            group.addTask {
                var events: [TestEventStream.Event] = []
                for await event in stream.events where event.comment == nil {
                    events.append(event)
                    if events.count == count { break }
                }
                return events
            }
            group.addTask {
                try await Task.sleep(for: .seconds(15))
                stream.hangUp()
                return []
            }
            defer { group.cancelAll() }
            return try await group.next() ?? []
        }
    }

    @Test("what happens from now on, as the filter says, resumed on another gateway", arguments: StoreKind.allCases)
    func filtered(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            let client = gateway.client
            let other = try await TestGateway.start(database.gateway, transport: gateway.transport)
            try await submit(client, "before")
            let all = try await client.events("/stream")
            let ends = try await client.events("/stream?status=failed")
            #expect(all.status == 200)
            for id in ["one", "two"] { try await submit(client, id) }
            try await finish(other.client, "one", "failed")
            try await finish(client, "two")
            let seen = try await take(3, all)
            all.hangUp()
            #expect(texts(seen) == ["one running", "two running", "one failed"])
            #expect(texts(try await take(1, ends)) == ["one failed"])
            ends.hangUp()

            let resumed = try await other.client.events("/stream", lastEventID: seen[1].eventID)
            #expect(texts(try await take(2, resumed)) == ["one failed", "two succeeded"])
            resumed.hangUp()
            for wrong in ["/stream?status=x", "/stream?statsu=failed", "/stream?partials=maybe"] {
                #expect(try await client.get(wrong).status == 400)
            }
            try await other.stop()
        }
    }

    @Test("an update that is committed late is told in its place, none behind it before")
    func lateCommit() async throws {
        try await withGateway { gateway, database in
            let client = gateway.client
            for id in ["slow", "quick"] { try await submit(client, id) }
            let stream = try await client.events("/stream")
            let connection = try await Connection.connect(ConnectionSettings(url: database.url), on: TestDatabase.loop)
            try await connection.query("BEGIN")
            try await connection.query("SELECT FROM envelopes WHERE id = 'slow' FOR NO KEY UPDATE")
            try await connection.query("INSERT INTO envelope_updates (envelope_id, status) VALUES ('slow', 'running')")
            // Its number is higher, and it is committed before.
            try await finish(client, "quick")
            try await Task.sleep(for: .milliseconds(500))
            try await connection.query("COMMIT")
            let events = try await take(2, stream)
            #expect(texts(events) == ["slow running", "quick succeeded"])
            #expect(events[0].id ?? 0 < events[1].id ?? 0)
            stream.hangUp()
            await connection.close()
        }
    }

    /// Nothing that was written after it has ended yet: no snapshot says that there is such a transaction.
    @Test("an update of the latest transaction, not yet committed, is not passed over")
    func latestTransaction() async throws {
        try await withGateway { gateway, database in
            let client = gateway.client
            for id in ["slow", "quick"] { try await submit(client, id) }
            let connection = try await Connection.connect(ConnectionSettings(url: database.url), on: TestDatabase.loop)
            try await connection.query("BEGIN")
            try await connection.query("SELECT FROM envelopes WHERE id = 'slow' FOR NO KEY UPDATE")
            try await connection.query("INSERT INTO envelope_updates (envelope_id, status) VALUES ('slow', 'running')")
            let stream = try await client.events("/stream", lastEventID: "1")
            try await Task.sleep(for: .milliseconds(500))
            try await connection.query("COMMIT")
            try await finish(client, "quick")
            #expect(texts(try await take(3, stream)) == ["quick running", "slow running", "quick succeeded"])
            stream.hangUp()
            await connection.close()
        }
    }

    @Test(
        "a family is told with its history, children that come later too, until all of it has ended",
        arguments: StoreKind.allCases)
    func family(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            try await submit(client, "p")
            try await submit(client, "stranger")
            _ = try await client.post("/envelopes", #"{"id":"p-1","parent_id":"p","actors":["a"]}"#)
            let stream = try await client.events("/envelopes/p/stream?children=true")
            #expect(texts(try await take(2, stream)) == ["p running", "p-1 pending"])
            _ = try await client.post("/envelopes", #"{"id":"p-1-1","parent_id":"p-1","actors":["a"]}"#)
            for id in ["stranger", "p-1", "p", "p-1-1"] { try await finish(client, id) }
            var rest: [TestEventStream.Event] = []
            for await event in stream.events where event.comment == nil { rest.append(event) }
            #expect(texts(rest) == ["p-1-1 pending", "p-1 succeeded", "p succeeded", "p-1-1 succeeded"])
            #expect(rest.map { $0["parent_id"]?.string } == ["p-1", "p", nil, "p-1"])
            // It has ended: all of it comes, and the stream closes.
            let again = await (try client.events("/envelopes/p/stream?children=true")).all()
            #expect(again.count == 6)
            #expect(again.compactMap(\.id) == again.compactMap(\.id).sorted())
        }
    }

    @Test("who came out of what is told with each update, in every stream and page", arguments: StoreKind.allCases)
    func parents(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            let ofParent = try await client.events("/stream?parent=p&partials=true")
            for id in ["p", "stranger"] { try await submit(client, id) }
            for (id, parent) in [("q", "p"), ("r", "q"), ("s", "p")] {
                _ = try await client.post("/envelopes", #"{"id":"\#(id)","parent_id":"\#(parent)","actors":["a"]}"#)
            }
            for id in ["stranger", "p", "q", "r", "s"] { try await finish(client, id) }
            let children = try await take(4, ofParent)
            ofParent.hangUp()
            #expect(texts(children) == ["q pending", "s pending", "q succeeded", "s succeeded"])
            #expect(children.allSatisfy { $0["parent_id"]?.string == "p" })
            for (id, parent) in [("p", nil), ("q", "p"), ("r", "q")] {
                let events = await (try client.events("/envelopes/\(id)/stream")).all()
                #expect(events.count == 2 && events.allSatisfy { $0["parent_id"]?.string == parent })
                let history = try #require(try await client.get("/envelopes/\(id)/history")["updates"]).elements
                #expect(history.count == 2 && history.allSatisfy { $0["parent_id"]?.string == parent })
            }
        }
    }

    @Test("in silence a client learns how far it has come", arguments: StoreKind.allCases)
    func silence(kind: StoreKind) async throws {
        try await withGateway(
            kind,
            configure: {
                $0.keepAlive = .milliseconds(200)
                $0.streamPoll = .milliseconds(100)
            }
        ) { gateway, _ in
            let stream = try await gateway.client.events("/stream?status=failed")
            try await submit(gateway.client, "e")
            for await event in stream.events {
                #expect(event.comment != nil && event.data.isEmpty)
                if event.id ?? 0 > 0 { break }
            }
            stream.hangUp()
        }
    }

    // MARK: The rule

    @Test("a page counts once all who might still write into it have ended")
    func rule() {
        typealias Page = SettledReading.Page
        var reading = SettledReading(after: 10)
        func isSure(_ page: Page) -> Bool { reading.read(page) }
        #expect(reading.next == .look)
        // Whoever has taken a number up to 15 stands before transaction 105.
        reading.looked(.init(number: 15, laterWriter: 105))
        #expect(reading.next == .read(after: 10, upTo: 15))
        #expect(!isSure(Page(lastID: 14, isFull: false, oldestWriter: 100)))
        // 100 has ended, but 104 hasn't; that 110 has begun since does not matter.
        #expect(!isSure(Page(lastID: 15, isFull: false, oldestWriter: 104)))
        #expect(reading.next == .read(after: 10, upTo: 15))
        #expect(isSure(Page(lastID: 15, isFull: false, oldestWriter: 110)))
        #expect(reading.next == .wait)
        #expect(reading.last == 15)

        reading.woken()
        #expect(reading.next == .look)
        reading.looked(.init(number: 15, laterWriter: 106))
        #expect(reading.next == .wait)
        reading.woken()
        reading.looked(.init(number: 400, laterWriter: 120))
        #expect(isSure(Page(lastID: 215, isFull: true, oldestWriter: 120)))
        #expect(reading.next == .read(after: 215, upTo: 400))
        // A long way is gone in pieces, also where there is nothing.
        reading.woken()
        reading.looked(.init(number: 215 + 2 * SettledReading.window, laterWriter: 125))
        let end = 215 + SettledReading.window
        #expect(reading.next == .read(after: 215, upTo: end))
        #expect(isSure(Page(lastID: nil, isFull: false, oldestWriter: 125)))
        #expect(reading.next == .read(after: end, upTo: end + SettledReading.window))
        reading = SettledReading(after: 215)
        reading.looked(.init(number: 400, laterWriter: 120))
        // Nothing that the filter wants.
        #expect(isSure(Page(lastID: nil, isFull: false, oldestWriter: 130)))
        #expect(reading.last == 400)
        // Where writers take turns, each page is sure.
        reading.woken()
        reading.looked(.init(number: 500))
        #expect(isSure(Page(lastID: 450, isFull: false)))
        #expect(reading.last == 500)
    }
}
