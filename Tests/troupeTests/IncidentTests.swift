import Envelopes
import Testing

@testable import troupe

/// What `troupe incidents` makes of an envelope and its history.
@Suite struct IncidentTests {
    private func json(_ text: String) throws -> RawJSON { try RawJSON(Array(text.utf8)) }

    private func incident(_ status: String, _ more: String = "") throws -> Incident {
        Incident(
            try json(
                """
                {"id": "i-1", "status": "\(status)", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:09Z",
                 "payload": {"incident": {"service": "db", "type": "service_down"}}\(more)}
                """),
            history: try [
                #"{"number": 1, "status": "running", "message": "Received", "timestamp": "2026-01-01T00:00:00Z"}"#,
                #"{"number": 2, "actor": "plan", "type": "log", "data": {"level": "info", "message": "restart"}, "timestamp": "2026-01-01T00:00:02.5Z"}"#,
                #"{"number": 3, "actor": "plan", "type": "token", "data": "x", "timestamp": "2026-01-01T00:00:03Z"}"#,
                #"{"number": 4, "actor": "plan", "status": "retrying", "message": "again", "timestamp": "2026-01-01T00:00:04Z"}"#,
                #"{"number": 5, "actor": "act", "type": "fault", "data": {"message": "injected"}, "timestamp": "2026-01-01T00:00:05Z"}"#,
                #"{"number": 6, "actor": "verify", "status": "\#(status)", "message": "over", "timestamp": "2026-01-01T00:00:09Z"}"#,
            ].map(json))
    }

    @Test func aTimelineHasWhatMattersAndWhen() throws {
        let lines = try incident("succeeded").timeline.map { $0.text(color: false) }
        #expect(
            lines == [
                "service_down of db  verified after 9.0s",
                "+2.5s   plan          restart",
                "+4.0s   plan          again",
                "+5.0s   act           injected",
                "+9.0s   verify        over",
            ])
    }

    @Test func statesAreThoseOfTheEnvelope() throws {
        #expect(try incident("running").state == .open)
        #expect(try incident("running").duration == nil)
        #expect(try incident("cancelled").state == .cancelled)
        let failed = try incident("failed", #", "error": "Escalated: no""#)
        #expect(failed.state == .escalated)
        #expect(failed.outcome == "Escalated: no")
        let rehearsed = #"{"tool": "c", "target": "d", "dry_run": true}"#
        let done = #", "result": {"actions": [{"tool": "a", "target": "b"}, \#(rehearsed)]}"#
        #expect(try incident("succeeded", done).outcome == "a b, c d (dry run)")
    }

    @Test func anExportIsOneLineWithNumbersThatGrow() throws {
        let line = try incident("succeeded").json
        #expect(!line.description.contains("\n"))
        #expect(line["state"]?.string == "verified")
        #expect(line["timeline"]?.elements.compactMap { $0["number"]?.integer } == [2, 4, 5, 6])
        #expect(line["incident"]?["service"]?.string == "db")
    }

    @Test func anEnvelopeThatIsNoIncidentIsShownAsFarAsItGoes() throws {
        let other = Incident(try json(#"{"id": "x", "status": "running", "payload": [1]}"#), history: [])
        #expect(other.service == "-")
        #expect(other.timeline.count == 1)
        #expect(other.json["opened_at"]?.description == "null")
    }
}
