import Envelopes
import Foundation
import Testing

@testable import Gateways

@Suite("Looking at envelopes", .serialized)
struct LookTests {
    private func submit(_ client: TestClient, _ id: String, _ more: String = "") async throws {
        let answer = try await client.post(
            "/envelopes", #"{"id":"\#(id)","route":{"actors":["a","b"]},"payload":1\#(more)}"#)
        #expect(answer.status == 202)
    }

    private func report(
        _ client: TestClient, _ id: String, _ status: String, _ index: Int, attempt: Int = 1, at second: Int,
        _ more: String = ""
    ) async throws {
        let kind = ["succeeded", "failed", "cancelled"].contains(status) ? "final" : "progress"
        let answer = try await client.post(
            "/envelopes/\(id)/\(kind)",
            """
            {"status":"\(status)","actors":["a","b"],"current_actor_idx":\(index),"current_actor_name":"\(["a", "b", "happy-end"][index])",
            "attempt":\(attempt),"timestamp":"2026-11-21T10:00:\(second < 10 ? "0" : "")\(second).000000Z"\(more)}
            """)
        #expect(answer.status == 200)
    }

    // MARK: Lists

    @Test("lists filter by status, actor, tool, parent and time", arguments: StoreKind.allCases)
    func filters(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            let client = gateway.client
            for id in ["one", "two", "three"] { try await submit(client, id) }
            try await report(client, "one", "received", 1, at: 1)
            try await report(client, "two", "failed", 1, at: 1)
            try await database.execute("UPDATE envelopes SET tool = 'caption' WHERE id = 'three'")
            try await database.execute(
                "UPDATE envelopes SET created_at = \(database.ago(.seconds(2 * 86_400))) WHERE id = 'two'")
            for number in 1...3 {
                _ = try await client.post("/envelopes", #"{"id":"one-\#(number)","parent_id":"one","actors":["b"]}"#)
            }
            func ids(_ query: String) async throws -> [String?]? {
                let answer = try await client.get("/envelopes?\(query)")
                #expect(answer.status == 200)
                return answer["envelopes"]?.elements.map { $0["id"]?.string }
            }
            #expect(try await ids("") == ["one-3", "one-2", "one-1", "three", "one", "two"])
            #expect(try await ids("order=asc&limit=2") == ["two", "one"])
            #expect(try await ids("status=failed") == ["two"])
            #expect(try await ids("actor=b&status=running") == ["one"])
            #expect(try await ids("tool=caption") == ["three"])
            #expect(try await ids("parent=one") == ["one-1", "one-2", "one-3"])
            let yesterday = Timestamp.text(microseconds: Timestamp.microsecondsNow() - 86_400_000_000)
            #expect(try await ids("before=\(yesterday)") == ["two"])
            #expect(try await ids("since=\(yesterday)&actor=a") == ["three"])
            #expect(try await client.get("/envelopes")["envelopes"]?.elements.first?["payload"] == nil)

            for wrong in [
                "status=done", "limit=0", "limit=x", "cursor=nonsense", "stauts=failed", "since=yesterday",
                "status=failed&status=x",
                "parent=", "order=up",
            ] {
                #expect(try await client.get("/envelopes?\(wrong)").status == 400, "\(wrong)")
            }
        }
    }

    @Test("pages show each envelope once while others come in", arguments: ["desc", "asc"], StoreKind.allCases)
    func pages(order: String, kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            let known = (0..<25).map { "known\($0)" }
            for id in known { try await submit(client, id) }
            var seen: [String] = []
            var cursor: String?
            var pages = 0
            repeat {
                let answer = try await client.get(
                    "/envelopes?order=\(order)&limit=10" + (cursor.map { "&cursor=\($0)" } ?? ""))
                seen += try #require(answer["envelopes"]).elements.compactMap { $0["id"]?.string }
                cursor = answer["next_cursor"]?.string
                pages += 1
                if pages == 1 { for number in 0..<3 { try await submit(client, "new\(number)") } }
            } while cursor != nil
            #expect(seen.filter { $0.hasPrefix("known") }.sorted() == known.sorted())
            #expect(Set(seen).count == seen.count)
            #expect(seen.contains("new0") == (order == "asc"))
        }
    }

    // MARK: One

    @Test(
        "an envelope tells its steps with their times and attempts, and how its children do",
        arguments: StoreKind.allCases)
    func steps(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, database in
            let client = gateway.client
            try await submit(client, "e")
            let submitted = try #require(Timestamp.microseconds(parsing: "2026-11-21T10:00:00Z"))
            try await database.execute("UPDATE envelope_updates SET reported_at = \(database.moment(submitted))")
            try await report(client, "e", "received", 0, at: 2)
            try await report(client, "e", "processing", 0, at: 3)
            try await report(client, "e", "retrying", 0, at: 5, #","error":"timeout: 2 s""#)
            try await report(client, "e", "received", 0, attempt: 2, at: 8)
            // Its sidecar died, and another one has it now.
            try await report(client, "e", "received", 0, attempt: 2, at: 9)
            try await report(client, "e", "completed", 1, at: 10)
            try await report(client, "e", "received", 1, at: 11)
            _ = try await client.post("/envelopes", #"{"id":"e-1","parent_id":"e","actors":["b"]}"#)
            _ = try await client.post("/envelopes", #"{"id":"e-2","parent_id":"e","actors":["b"]}"#)
            try await report(client, "e-1", "succeeded", 2, at: 12)

            let envelope = try await client.get("/envelopes/e")
            let steps = try #require(envelope["steps"]).elements
            #expect(steps.map { $0["actor"]?.string } == ["a", "a", "b"])
            #expect(steps.map { $0["attempt"]?.integer } == [1, 2, 1])
            #expect(steps.map { $0["outcome"]?.string } == ["retrying", "completed", "running"])
            #expect(steps.map { $0["wait_ms"]?.integer } == [2000, 4000, 1000])
            #expect(steps.map { $0["run_ms"]?.integer } == [3000, 1000, nil])
            #expect(steps[0]["error"]?.string == "timeout: 2 s")
            #expect(envelope["children"]?.description == #"{"pending":1,"succeeded":1}"#)

            try await report(client, "e", "failed", 1, at: 15, #","error":"broken""#)
            let last = try await client.get("/envelopes/e")["steps"]?.elements.last
            #expect(last?["outcome"]?.string == "failed")
            #expect(last?["run_ms"]?.integer == 4000)
        }
    }

    @Test("the history comes in pages", arguments: StoreKind.allCases)
    func history(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            try await submit(client, "e")
            for second in 1...5 { try await report(client, "e", "received", 0, at: second) }
            let first = try await client.get("/envelopes/e/history?limit=4")
            #expect(first["updates"]?.elements.count == 4)
            let after = try #require(first["next_after"]?.integer)
            let second = try await client.get("/envelopes/e/history?limit=4&after=\(after)")
            #expect(second["updates"]?.elements.count == 2)
            #expect(second["next_after"] == nil)
            #expect(second["updates"]?.elements.last?["reported_at"]?.string == "2026-11-21T10:00:05.000000Z")
            #expect(try await client.get("/envelopes/nobody/history").status == 404)
            #expect(try await client.get("/envelopes/e/history?after=-1").status == 400)
        }
    }

    // MARK: The result

    @Test("the result comes byte for byte, once it is there", arguments: StoreKind.allCases)
    func result(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            let bytes = #"{"b" : 1e400, "a":"\u0000","a": 12345678901234567890}"#
            try await submit(client, "e")
            let early = try await client.get("/envelopes/e/result")
            #expect(early.status == 409)
            #expect(early.code == "not_ended")
            try await report(client, "e", "succeeded", 2, at: 1, #","result":\#(bytes)"#)
            let answer = try await client.get("/envelopes/e/result")
            #expect(answer.status == 200)
            #expect(answer.text == bytes)

            try await submit(client, "f")
            try await report(client, "f", "failed", 0, at: 1, #","error":"broken""#)
            let failed = try await client.get("/envelopes/f/result")
            #expect(failed.code == "no_result")
            #expect(failed["detail"]?.string == "envelope 'f' has failed: broken")
            #expect(try await client.get("/envelopes/g/result").status == 404)
        }
    }

    @Test("who waits for a result gets it when it comes, or hears that it has not", arguments: StoreKind.allCases)
    func waiting(kind: StoreKind) async throws {
        try await withGateway(kind) { gateway, _ in
            let client = gateway.client
            try await submit(client, "e")
            let begin = ContinuousClock.now
            #expect(try await client.get("/envelopes/e/result?wait=1s").code == "not_ended")
            #expect(ContinuousClock.now - begin >= .seconds(1))
            async let answer = client.get("/envelopes/e/result?wait=30s")
            try await Task.sleep(for: .milliseconds(100))
            try await report(client, "e", "succeeded", 2, at: 1, #","result":7"#)
            #expect(try await answer.text == "7")
            #expect(ContinuousClock.now - begin < .seconds(15))
            #expect(try await client.get("/envelopes/e/result?wait=2m").status == 400)
        }
    }
}
