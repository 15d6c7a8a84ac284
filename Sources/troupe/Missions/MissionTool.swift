import Envelopes
import HTTPClient

/// A tool of the missions, called and waited for.
struct MissionTool {
    private let name: String
    private let gateway: GatewayOptions

    init(_ name: String, _ gateway: GatewayOptions) {
        self.name = name
        self.gateway = gateway
    }

    static func id(_ id: String) -> RawJSON.Member { .init(name: "mission_id", value: RawJSON(string: id)) }

    /// - Returns: the tool's result.
    /// - Throws: `CommandFailure` with what the tool says is wrong; `GatewayError`.
    func call(_ arguments: [RawJSON.Member]) async throws -> RawJSON {
        let client = try gateway.client()
        let body = RawJSON(object: [
            .init(name: "tool", value: RawJSON(string: name)),
            .init(name: "arguments", value: RawJSON(object: arguments)),
        ])
        do throws(GatewayError) {
            // The key makes asking again safe: a mission is created once.
            let accepted = try await client.send(.post, "/envelopes", body, idempotencyKey: RandomKey.text())
            guard let id = accepted["id"]?.string else { throw GatewayError(fault: "the gateway's answer has no id") }
            return try await client.send(.get, "/envelopes/\(id.percentEncoded())/result?wait=60s")
        } catch {
            switch error.code {
            case "unknown_tool":
                throw CommandFailure(
                    "this gateway knows no missions. Start them: troupe dev actors/missions", .notFound)
            case "no_result": throw CommandFailure(error.description, .failed)
            case "not_ended": throw CommandFailure(error.description, .tryAgain)
            default: throw error
            }
        }
    }
}
