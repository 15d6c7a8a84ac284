/// Why a pipeline could not be run to its end: a mistake in the test, or a handler that hangs.
public struct PipelineError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// The route names an actor that has no handler, or none at all.
        case wrongRoute = "wrong_route"
        /// The payload cannot be written as JSON.
        case wrongPayload = "wrong_payload"
        /// A setting is wrong.
        case wrongSettings = "wrong_settings"
        /// A handler's program does not run.
        case handlerEnded = "handler_ended"
        case timeout
        /// No room for files or sockets.
        case unavailable
    }

    public let code: Code
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}
