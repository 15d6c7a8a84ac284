/// A response whose body is read as it comes, by one reader. What nobody reads is not fetched: the server has to wait.
///
/// The exchange ends when nobody holds this any more.
public final class HTTPResponseStream: Sendable {
    public let status: Int
    public let headers: HTTPHeaders
    private let number: UInt64
    private let client: HTTPClient

    init(_ head: HTTPResponse, number: UInt64, of client: HTTPClient) {
        status = head.status
        headers = head.headers
        self.number = number
        self.client = client
    }

    deinit { Task { [client, number] in await client.close(number) } }

    public var isSuccess: Bool { (200..<300).contains(status) }

    /// The next bytes, as many as have come; waits for them. `nil` at the end. Cancelling the task ends the exchange (`cancelled`).
    public func next() async throws(HTTPError) -> [UInt8]? { try await client.read(number) }

    /// All of it.
    /// - Parameter limit: bytes; more end the exchange with `tooLarge`.
    public func collect(upTo limit: Int = 64 << 20) async throws(HTTPError) -> HTTPResponse {
        var body: [UInt8] = []
        while let bytes = try await next() {
            guard bytes.count <= limit - body.count else {
                await client.close(number)
                throw HTTPError(.tooLarge, "the response body is longer than \(limit) bytes")
            }
            body += bytes
        }
        return HTTPResponse(status: status, headers: headers, body: body)
    }
}
