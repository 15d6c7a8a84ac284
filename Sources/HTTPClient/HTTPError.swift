/// Why there is no response. A response with an error status is a response, not an error.
public struct HTTPError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// The request itself is wrong: its URL, a header, a limit. Nothing was sent.
        case invalidRequest = "invalid_request"
        case resolve
        case connect
        case tls
        case timeout
        /// The connection ended before the response was complete. The server may have acted on the request.
        case connectionLost = "connection_lost"
        /// What came back is not HTTP.
        case protocolViolation = "protocol_violation"
        case tooLarge = "too_large"
        /// The Swift task was cancelled.
        case cancelled
        /// The client has been shut down.
        case stopped
    }

    public let code: Code
    /// What happened, in words; holds no credentials, query or body.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }

    /// Whether the same request may well succeed later.
    public var isTransient: Bool {
        switch code {
        case .resolve, .connect, .timeout, .connectionLost: true
        case .invalidRequest, .tls, .protocolViolation, .tooLarge, .cancelled, .stopped: false
        }
    }
}
