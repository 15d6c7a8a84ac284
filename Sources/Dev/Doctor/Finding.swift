/// What a look at one part of an installation has found.
public struct Finding: Sendable, Hashable {
    public enum State: String, Sendable {
        case ok
        /// It works, or will; somebody should know.
        case warning
        /// It does not work.
        case problem
        /// Nothing here asks for it.
        case skipped
    }

    /// `project`, `broker`, ...
    public var part: String
    public var state: State
    public var text: String
    /// What to do.
    public var advice: String?

    public init(_ part: String, _ state: State, _ text: String, advice: String? = nil) {
        self.part = part
        self.state = state
        self.text = text
        self.advice = advice
    }
}
