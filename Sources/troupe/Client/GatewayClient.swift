import Envelopes
import EventLoops
import HTTPClient

/// Speaks to a gateway.
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

    /// Sends JSON, and gets JSON.
    /// - Parameters:
    ///   - path: with its query, percent-encoded.
    ///   - idempotencyKey: makes it safe to ask again.
    func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: RawJSON? = nil, idempotencyKey: String? = nil,
        timeout: Duration = .seconds(300)
    ) async throws(GatewayError) -> RawJSON {
        var headers: HTTPHeaders = [:]
        if body != nil { headers["Content-Type"] = "application/json" }
        if let idempotencyKey { headers["Idempotency-Key"] = idempotencyKey }
        let answer = try await exchange(
            method, path, headers: headers, body: body.map { Array($0.bytes) }, timeout: timeout)
        guard let json = try? RawJSON(answer, limits: JSONLimits(size: .max, nesting: 4096)) else {
            throw GatewayError(
                fault: "what answers at \(url) sends no JSON, so it is no gateway of Troupe. See --gateway.")
        }
        return json
    }

    /// Sends bytes, and gets bytes.
    func exchange(
        _ method: HTTPRequest.Method, _ path: String, headers: HTTPHeaders = [:], body: [UInt8]? = nil,
        timeout: Duration = .seconds(300)
    ) async throws(GatewayError) -> [UInt8] {
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await client.send(
                HTTPRequest(
                    method, url + path, headers: authorized(headers), body: body, timeout: timeout,
                    maximumResponseBytes: 256 << 20))
        } catch {
            throw GatewayError(away: error, url: url)
        }
        guard response.isSuccess else { throw GatewayError(response) }
        return response.body
    }

    /// Opens an event stream.
    /// - Parameter lastEventID: to go on behind it; empty to begin.
    func openStream(_ path: String, lastEventID: String) async throws(GatewayError) -> HTTPResponseStream {
        var headers: HTTPHeaders = ["Accept": "text/event-stream"]
        if !lastEventID.isEmpty { headers["Last-Event-ID"] = lastEventID }
        let request = HTTPRequest(
            .get, url + path, headers: authorized(headers), timeout: nil, idleTimeout: Self.silence)
        let problem: HTTPResponse
        do throws(HTTPError) {
            let stream = try await client.open(request)
            if stream.isSuccess { return stream }
            problem = try await stream.collect(upTo: 1 << 20)
        } catch {
            throw GatewayError(away: error, url: url)
        }
        throw GatewayError(problem)
    }

    /// A gateway that lives says so every 15 seconds (TROUPE_GATEWAY_KEEPALIVE).
    private static let silence = Duration.seconds(90)

    private func authorized(_ headers: HTTPHeaders) -> HTTPHeaders {
        var headers = headers
        if let key { headers["Authorization"] = "Bearer \(key)" }
        return headers
    }
}
