/// An error reply of the handler's own making: what goes wrong, and the name by which retry rules and people know it.
///
/// Any other `Error` does as well: its type's name becomes `type`, its description `message`.
public struct HandlerError: Error, Sendable, CustomStringConvertible {
    public let type: String
    public let message: String
    /// Where it was made: `Module/File.swift:12`.
    public let place: String

    public init(type: String = "HandlerError", _ message: String, file: String = #fileID, line: Int = #line) {
        self.type = type
        self.message = message
        place = "\(file):\(line)"
    }

    public var description: String { message }
}

/// `details` of an error reply.
struct ErrorDetails {
    var message: String
    var type: String
    var traceback: String

    init(_ error: any Error) {
        switch error {
        case let error as HandlerError:
            type = error.type
            message = error.message
            traceback = "\(error.type): \(error.message)\n  at \(error.place)"
        case let error as DecodingError:
            type = "DecodingError"
            message = error.summary(of: nil)
            traceback = String(reflecting: error)
        case let error as PayloadError:
            type = "DecodingError"
            message = error.message
            traceback = error.cause
        case let error as EncodingError:
            type = "EncodingError"
            message = error.summary
            traceback = String(reflecting: error)
        default:
            type = String(describing: Swift.type(of: error))
            message = String(describing: error)
            traceback = String(reflecting: error)
        }
        // An error without a word of its own would read as an empty line.
        if message.isEmpty { message = type }
    }
}
