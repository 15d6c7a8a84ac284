internal import HTTPTypes

/// What can be wrong with a request: stable codes that clients may rely on, each with its HTTP status.
enum ErrorCode: String, Sendable, CaseIterable {
    case invalidJSON = "invalid_json"
    case nestingTooDeep = "nesting_too_deep"
    case bodyTooLarge = "body_too_large"
    case invalidRequest = "invalid_request"
    case invalidID = "invalid_id"
    case invalidRoute = "invalid_route"
    case invalidDeadline = "invalid_deadline"
    case invalidReport = "invalid_report"
    case invalidArguments = "invalid_arguments"
    case invalidCursor = "invalid_cursor"
    case invalidFault = "invalid_fault"
    case duplicateID = "duplicate_id"
    case alreadyEnded = "already_ended"
    case keyReused = "key_reused"
    case notEnded = "not_ended"
    case noResult = "no_result"
    case notRetryable = "not_retryable"
    case unknownActor = "unknown_actor"
    case unknownEnvelope = "unknown_envelope"
    case unknownTool = "unknown_tool"
    case unknownFault = "unknown_fault"
    case duplicateFault = "duplicate_fault"
    case tooManyFaults = "too_many_faults"
    case faultsDisabled = "faults_disabled"
    case notFound = "not_found"
    case methodNotAllowed = "method_not_allowed"
    case headTooLarge = "head_too_large"
    case misdirected
    case unauthenticated
    case insufficientScope = "insufficient_scope"
    case forbiddenOrigin = "forbidden_origin"
    case rateLimited = "rate_limited"
    case tooManyStreams = "too_many_streams"
    case streamsExhausted = "streams_exhausted"
    case authUnavailable = "auth_unavailable"
    case overloaded
    case databaseUnavailable = "database_unavailable"
    case internalError = "internal_error"

    var status: HTTPResponse.Status {
        switch self {
        case .invalidJSON, .nestingTooDeep, .invalidRequest, .invalidID, .invalidRoute, .invalidDeadline,
            .invalidReport, .invalidArguments, .invalidCursor, .invalidFault:
            .badRequest
        case .bodyTooLarge: .contentTooLarge
        case .duplicateID, .alreadyEnded, .keyReused, .notEnded, .noResult, .notRetryable, .duplicateFault,
            .tooManyFaults:
            .conflict
        case .unknownActor, .unknownEnvelope, .unknownTool, .unknownFault, .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .headTooLarge: .requestHeaderFieldsTooLarge
        case .misdirected: .misdirectedRequest
        case .unauthenticated: .unauthorized
        case .insufficientScope, .forbiddenOrigin, .faultsDisabled: .forbidden
        case .rateLimited, .tooManyStreams: .tooManyRequests
        case .overloaded, .databaseUnavailable, .streamsExhausted, .authUnavailable: .serviceUnavailable
        case .internalError: .internalServerError
        }
    }

    /// The same for every problem of the code (RFC 9457).
    var title: String {
        switch self {
        case .invalidJSON: "The body is not JSON"
        case .nestingTooDeep: "The body is nested too deep"
        case .bodyTooLarge: "The body is too large"
        case .invalidRequest: "The request has a missing or wrong member"
        case .invalidID: "The id can't be used"
        case .invalidRoute: "The route can't be taken"
        case .invalidDeadline: "The deadline can't be used"
        case .invalidReport: "The status report can't be read"
        case .invalidArguments: "The tool doesn't take these arguments"
        case .invalidCursor: "The cursor is none that a list has given"
        case .invalidFault: "The fault can't be injected"
        case .duplicateID: "There is an envelope of this id already"
        case .alreadyEnded: "The envelope has ended already"
        case .keyReused: "The Idempotency-Key was used for another request"
        case .notEnded: "The envelope has not ended yet"
        case .noResult: "The envelope ended without a result"
        case .notRetryable: "The envelope can't be sent again"
        case .unknownActor: "There is no such actor"
        case .unknownEnvelope: "There is no such envelope"
        case .unknownTool: "There is no such tool"
        case .unknownFault: "There is no such fault"
        case .duplicateFault: "There is another fault of this id"
        case .tooManyFaults: "There are too many faults"
        case .faultsDisabled: "Nothing may go wrong on purpose here"
        case .notFound: "There is nothing at this path"
        case .methodNotAllowed: "This path doesn't know the method"
        case .headTooLarge: "The request's head is too large"
        case .misdirected: "This is served on another port"
        case .unauthenticated: "Credentials are missing or don't count"
        case .insufficientScope: "The credentials don't allow this"
        case .forbiddenOrigin: "The page or name that this comes from is not let in"
        case .rateLimited: "Too many requests"
        case .tooManyStreams: "Too many open streams of this caller"
        case .streamsExhausted: "Too many open streams"
        case .authUnavailable: "Tokens can't be checked just now"
        case .overloaded: "The gateway takes no more work just now"
        case .databaseUnavailable: "The database is away"
        case .internalError: "Something went wrong in the gateway"
        }
    }

    /// What the caller can do.
    var advice: String {
        switch self {
        case .invalidJSON: "Send valid JSON in UTF-8; `detail` says where it breaks"
        case .nestingTooDeep: "Flatten it; the limit is `TROUPE_GATEWAY_MAX_NESTING`"
        case .bodyTooLarge: "Send a reference instead; the limit is `TROUPE_GATEWAY_MAX_BODY`"
        case .invalidRequest: "`detail` names the member, header or query parameter; `pointer` points to it in the body"
        case .invalidID: "Choose another id, or none: the gateway makes one"
        case .invalidRoute: "`pointer` points to the actor; `happy-end` and `error-end` are reserved"
        case .invalidDeadline: "Give a time with a zone that lies behind the start"
        case .invalidReport: "For sidecars: docs/protocol.md has what a report needs"
        case .invalidArguments: "`errors` points to each wrong argument; `GET /tools` has the schema"
        case .invalidCursor: "Begin the list anew, without `cursor`"
        case .invalidFault: "`detail` says what it needs, or which bound it breaks; docs/faults.md has all kinds"
        case .duplicateID: "It has been submitted already; ask again with an Idempotency-Key to get the first answer"
        case .alreadyEnded: "Nothing: `GET /envelopes/{id}` tells how it ended"
        case .keyReused: "Take a new key for a new request"
        case .notEnded: "Wait for its end, or cancel it"
        case .noResult: "`detail` has the error; `POST /envelopes/{id}/retry` sends it again"
        case .notRetryable: "`detail` says why, and what would do; after `Retry-After` where there is one"
        case .unknownActor: "`GET /actors` lists those that the gateway has heard of"
        case .unknownEnvelope: "Look at the id; envelopes that ended long ago may have been deleted"
        case .unknownTool: "`GET /tools` lists the tools"
        case .unknownFault: "`GET /faults?all=true` lists those of the last day"
        case .duplicateFault: "Choose another id, or none: the gateway makes one"
        case .tooManyFaults: "Wait until one ends, or reset one; the limit is `TROUPE_FAULTS_MAX_ACTIVE`"
        case .faultsDisabled: "Set `TROUPE_FAULTS_ENABLED=true` for the gateway and for the sidecars that may be struck"
        case .notFound: "`/openapi.json` lists the paths"
        case .methodNotAllowed: "The header `Allow` lists the methods"
        case .overloaded: "Ask again after `Retry-After`"
        case .headTooLarge: "Send fewer or smaller headers (`TROUPE_GATEWAY_MAX_HEAD`)"
        case .misdirected:
            "Report to the gateway's internal port (`TROUPE_GATEWAY_INTERNAL_PORT`), ask all else at the other"
        case .unauthenticated: "Send an API key or a token; docs/security.md says how"
        case .insufficientScope: "Use a key or token with the scope that `WWW-Authenticate` names"
        case .forbiddenOrigin: "Let the page or the name in: `TROUPE_GATEWAY_ORIGINS`, `TROUPE_GATEWAY_HOSTS`"
        case .rateLimited: "Ask again after `Retry-After` seconds, and less often"
        case .tooManyStreams: "Close a stream, or ask again after `Retry-After` seconds"
        case .streamsExhausted: "Ask again after `Retry-After` seconds, or at another gateway"
        case .authUnavailable: "Ask again after `Retry-After` seconds: the issuer of tokens is away"
        case .databaseUnavailable:
            "Ask again after `Retry-After`; with an Idempotency-Key that is safe for submissions, too"
        case .internalError: "Look into the gateway's log"
        }
    }
}
