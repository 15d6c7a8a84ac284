/// One exchange to make.
public struct HTTPRequest: Sendable {
    public enum Method: String, Sendable, Hashable, CaseIterable {
        case delete = "DELETE"
        case get = "GET"
        case head = "HEAD"
        case options = "OPTIONS"
        case patch = "PATCH"
        case post = "POST"
        case put = "PUT"
    }

    public var method: Method
    /// `http` or `https`; sent as it stands, so whatever needs percent-encoding must have it.
    public var url: String
    public var headers: HTTPHeaders
    /// `nil` sends none; an empty one sends `Content-Length: 0`.
    public var body: [UInt8]?
    /// For the whole exchange, waiting for a free connection included; `nil` means no limit. At least 1 ms.
    public var timeout: Duration?
    /// For name look-up, connection and TLS handshake. At least 1 ms.
    public var connectTimeout: Duration
    /// Ends the exchange with `timeout` when nothing has come for so long, though nobody kept it from coming; `nil` means no limit. Whole
    /// seconds, rounded up.
    public var idleTimeout: Duration?
    /// A longer response body ends the exchange with `tooLarge`. Streams have no such limit.
    public var maximumResponseBytes: Int

    public init(
        _ method: Method = .get, _ url: String, headers: HTTPHeaders = [:], body: [UInt8]? = nil,
        timeout: Duration? = .seconds(30), connectTimeout: Duration = .seconds(10),
        idleTimeout: Duration? = nil, maximumResponseBytes: Int = 64 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.maximumResponseBytes = maximumResponseBytes
    }
}

/// What came back, whatever its status.
public struct HTTPResponse: Sendable, Hashable {
    public var status: Int
    public var headers: HTTPHeaders
    public var body: [UInt8]

    public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    public var isSuccess: Bool { (200..<300).contains(status) }
}
