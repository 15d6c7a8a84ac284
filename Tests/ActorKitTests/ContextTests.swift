import Foundation
import Testing

@testable import ActorKit

@Suite
struct ContextTests {
    private func context(_ envelope: String) throws -> Context {
        Context(try LooseEnvelope(json(envelope)), logLevel: .critical)
    }

    @Test func itKnowsTheEnvelope() throws {
        let context = try context(
            #"{"id":"e-1","parent_id":"e-0","route":{"actors":["a","b"],"current":1},"#
                + #""headers":{"n":5,"s":"x","o":{"k":[1]}},"payload":1}"#
        )
        #expect(context.id == "e-1")
        #expect(context.parentID == "e-0")
        #expect(context.route.actors == ["a", "b"])
        #expect(context.route.currentActor == "b")
        #expect(context.headers["s"]?.string == "x")
        #expect(try context.header("n", as: Int.self) == 5)
        #expect(try context.header("o", as: [String: [Int]].self) == ["k": [1]])
        #expect(try context.header("absent", as: Int.self) == nil)
        #expect(throws: DecodingError.self) { try context.header("s", as: Int.self) }
    }

    @Test(arguments: [
        ("[]", 1), ("5", 1), (#"[{"actor":"b","attempt":"x"},7]"#, 1), (#"[{"actor":"a","attempt":4}]"#, 1),
        (#"[{"actor":"b","attempt":1},{"actor":"b","attempt":2}]"#, 3),
        (#"[{"actor":"b","attempt":9223372036854775807}]"#, 1_000_001), (#"[{"actor":"b","attempt":-3}]"#, 1),
    ])
    func attemptsAreThoseAtThisActor(_ header: String, _ attempt: Int) throws {
        let route = #"{"actors":["a","b"],"current":1}"#
        let envelope = #"{"route":\#(route),"headers":{"troupe-attempts":\#(header)},"payload":1}"#
        #expect(try context(envelope).attempt == attempt)
    }

    @Test(arguments: [
        "{}", #"{"id":5,"parent_id":[],"route":[],"headers":3,"deadline":7}"#,
        #"{"route":{"actors":{},"current":"x"},"headers":null}"#, #"{"route":{"actors":[1,null],"current":1e99}}"#,
    ])
    func anyObjectHasAContext(_ envelope: String) throws {
        let context = try context(envelope)
        #expect(context.id == "")
        #expect(context.route.actors == [])
        #expect(context.headers.json == nil)
        #expect(context.deadline == nil)
    }

    @Test(arguments: [
        ("2030-01-01T00:00:00Z", 1_893_456_000.0), ("2030-01-01T00:00:00.500Z", 1_893_456_000.5),
        ("2030-01-01T00:00:00.123456Z", 1_893_456_000.123), ("2030-01-01T02:00:00+02:00", 1_893_456_000.0),
    ])
    func deadlines(_ text: String, _ seconds: Double) throws {
        let deadline = try #require(try context(#"{"deadline":"\#(text)"}"#).deadline)
        #expect(abs(deadline.timeIntervalSince1970 - seconds) < 0.01)
    }

    @Test func aDeadlineThatIsNoTimeIsNone() throws {
        #expect(try context(#"{"deadline":"soon"}"#).deadline == nil)
    }

    @Test func timeLeft() {
        #expect(Context().timeLeft == nil)
        let left = Context(deadline: Date(timeIntervalSinceNow: 60)).timeLeft ?? .zero
        #expect(left > .seconds(50) && left <= .seconds(60))
        #expect((Context(deadline: Date(timeIntervalSinceNow: -60)).timeLeft ?? .zero) < .zero)
    }
}
