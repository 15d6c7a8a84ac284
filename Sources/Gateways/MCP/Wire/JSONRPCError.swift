internal import Envelopes

/// An error as JSON-RPC knows it, with MCP's codes.
struct JSONRPCError: Error, Sendable, Hashable {
    var code: Code
    /// Quotes no payload.
    var message: String
    var data: RawJSON?

    enum Code: Int, Sendable, CaseIterable {
        case parseError = -32700
        case invalidRequest = -32600
        case methodNotFound = -32601
        case invalidParams = -32602
        case internalError = -32603
        /// Of protocol versions with sessions only.
        case resourceNotFound = -32002
        case headerMismatch = -32020
        case missingCapability = -32021
        case unsupportedVersion = -32022
    }

    init(_ code: Code, _ message: String, data: RawJSON? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }

    /// What the rest of the gateway says of a request, in MCP's terms.
    init(_ problem: Problem) {
        switch problem.code {
        case .databaseUnavailable, .internalError: self.init(.internalError, problem.detail)
        case .invalidJSON, .nestingTooDeep: self.init(.parseError, problem.detail)
        case .bodyTooLarge, .insufficientScope, .tooManyStreams, .streamsExhausted:
            self.init(.invalidRequest, problem.detail)
        default: self.init(.invalidParams, problem.detail)
        }
        data = RawJSON { writer in
            writer.beginObject()
            writer.member("code", problem.code.rawValue)
            writer.member("pointer", problem.pointer)
            writer.endObject()
        }
    }

    static func unknownMethod(_ method: String) -> JSONRPCError {
        JSONRPCError(.methodNotFound, "there is no method '\(method.prefix(100))'")
    }
}
