/// Why something is no fault that can be injected.
public struct InvalidFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// JSON Pointer to the member that is wrong.
    public let pointer: String
    public let message: String

    public init(_ pointer: String, _ message: String) {
        self.pointer = pointer
        self.message = message
    }

    public var description: String { message }
}
