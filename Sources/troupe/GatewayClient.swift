import ArgumentParser
import Envelopes
import EventLoops
import HTTPClient
import Settings

/// How a command finds its gateway.
struct GatewayOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The gateway's URL. Default: TROUPE_GATEWAY_URL, or http://127.0.0.1:8080.", valueName: "url"))
    var gateway: String?

    var client: GatewayClient {
        let url = gateway ?? Settings.ofProcess().text("GATEWAY_URL", default: "http://127.0.0.1:8080")
        return GatewayClient(url: url.hasSuffix("/") ? String(url.dropLast()) : url)
    }
}

/// Speaks to a gateway, and says in words what went wrong.
struct GatewayClient: Sendable {
    let url: String
    private let client = HTTPClient(on: EventLoop(name: "client"))

    init(url: String) { self.url = url }

    /// - Parameter path: with its query, percent-encoded.
    /// - Throws: `GatewayFailure`.
    func send(_ method: HTTPRequest.Method, _ path: String, _ body: RawJSON? = nil) async throws -> RawJSON {
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await client.send(
                HTTPRequest(
                    method, url + path, headers: body == nil ? [:] : ["Content-Type": "application/json"],
                    body: body.map { Array($0.bytes) }, timeout: .seconds(300), maximumResponseBytes: 256 << 20))
        } catch {
            throw GatewayFailure(
                "no answer from the gateway at \(url): \(error.message). Is it running? See --gateway.", exitCode: 69)
        }
        let json = try? RawJSON(response.body, limits: JSONLimits(size: .max, nesting: 4096))
        guard response.isSuccess, let json else {
            let detail = json?["detail"]?.string ?? "status \(response.status)"
            throw GatewayFailure("the gateway says: \(detail)", exitCode: response.status == 404 ? 66 : 1)
        }
        return json
    }
}

/// Why a command could not do its work. Exit codes are those of sysexits: 66 there is no such thing, 69 no gateway.
struct GatewayFailure: Error, CustomStringConvertible {
    let description: String
    let exitCode: Int32

    init(_ description: String, exitCode: Int32) {
        self.description = description
        self.exitCode = exitCode
    }
}
