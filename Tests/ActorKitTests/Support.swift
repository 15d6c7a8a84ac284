import Foundation

@testable import ActorKit

func json(_ text: String) throws -> RawJSON { try RawJSON(Array(text.utf8)) }

func testSettings(_ environment: [String: String] = [:], mode: HandlerMode = .payload) throws(StartError)
    -> ActorSettings
{
    try ActorSettings(
        environment: environment.merging(["TROUPE_LOG_LEVEL": "critical"]) { given, _ in given }, mode: mode)
}

func answerer<H: Handler>(_ handler: H, _ environment: [String: String] = [:]) throws -> Answerer {
    Answerer(
        settings: try testSettings(environment), mode: .payload, log: Log(level: .critical),
        call: payloadAnswer(TypedPayloads(handler).handle))
}

/// A request to the first of two actors.
func request(_ payload: String) -> [UInt8] {
    let route = #"{"actors":["a","b"],"current":0,"metadata":{"z":1}}"#
    return Array(#"{"id":"e-1","route":\#(route),"headers":{"trace":"t"},"payload":\#(payload)}"#.utf8)
}

func error(in reply: [UInt8]) throws -> (code: String?, message: String?, type: String?, traceback: String?) {
    let error = try RawJSON(reply).elements.first
    let details = error?["details"]
    return (
        error?["error"]?.string, details?["message"]?.string, details?["type"]?.string, details?["traceback"]?.string
    )
}
