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

    @Option(
        help: ArgumentHelp(
            "An API key or a token. Other people of this machine can see it; TROUPE_API_KEY they can't.",
            valueName: "key"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "A PEM file of the authorities to trust instead of the system's, for https.", valueName: "file"))
    var ca: String?

    /// - Throws: `GatewayFailure` for a key's file that can't be read.
    func client() throws -> GatewayClient {
        var settings = Settings.ofProcess()
        let url = gateway ?? settings.text("GATEWAY_URL", default: "http://127.0.0.1:8080")
        let key = key ?? settings.secret("API_KEY", orFile: "API_KEY_FILE")
        if let problem = settings.problems.first { throw GatewayFailure(problem.description, exitCode: 78) }
        return GatewayClient(url: url.hasSuffix("/") ? String(url.dropLast()) : url, key: key, authorities: ca)
    }
}

/// Speaks to a gateway, and says in words what went wrong.
struct GatewayClient: Sendable {
    let url: String
    private let key: String?
    private let client: HTTPClient

    /// - Parameters:
    ///   - key: an API key or a token.
    ///   - authorities: a PEM file to trust instead of the system's.
    init(url: String, key: String? = nil, authorities: String? = nil) {
        self.url = url
        self.key = key
        client = HTTPClient(
            on: EventLoop(name: "client"), configuration: .init(certificateAuthorities: authorities))
    }

    /// - Parameter path: with its query, percent-encoded.
    /// - Throws: `GatewayFailure`.
    func send(_ method: HTTPRequest.Method, _ path: String, _ body: RawJSON? = nil) async throws -> RawJSON {
        var headers: HTTPHeaders = [:]
        if body != nil { headers["Content-Type"] = "application/json" }
        if let key { headers["Authorization"] = "Bearer \(key)" }
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await client.send(
                HTTPRequest(
                    method, url + path, headers: headers, body: body.map { Array($0.bytes) }, timeout: .seconds(300),
                    maximumResponseBytes: 256 << 20))
        } catch {
            throw GatewayFailure(
                "no answer from the gateway at \(url): \(error.message). Is it running? See --gateway.", exitCode: 69)
        }
        let json = try? RawJSON(response.body, limits: JSONLimits(size: .max, nesting: 4096))
        guard response.isSuccess, let json else {
            var detail = json?["detail"]?.string ?? "status \(response.status)"
            if response.status == 401 { detail += ". See TROUPE_API_KEY and --key." }
            throw GatewayFailure("the gateway says: \(detail)", exitCode: Self.exitCode(response.status))
        }
        return json
    }
}

extension GatewayClient {
    private static func exitCode(_ status: Int) -> Int32 {
        switch status {
        case 401, 403: 77
        case 404: 66
        default: 1
        }
    }
}

/// Why a command could not do its work. Exit codes are those of sysexits: 66 there is no such thing, 69 no gateway, 77 not allowed, 78 wrong settings.
struct GatewayFailure: Error, CustomStringConvertible {
    let description: String
    let exitCode: Int32

    init(_ description: String, exitCode: Int32) {
        self.description = description
        self.exitCode = exitCode
    }
}
