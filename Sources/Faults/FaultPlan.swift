/// What is to go wrong with one call.
public struct FaultPlan: Sendable, Hashable {
    /// In the order of their injection: one after the other.
    public var delays: [Fault] = []
    /// Beside the call: processor time and memory.
    public var burdens: [Fault] = []
    /// What keeps the handler's answer from coming: at most one.
    public var interruption: Fault?
    /// For the results, where there are any.
    public var corruptions: [Corruption] = []

    public struct Corruption: Sendable, Hashable {
        public var fault: Fault
        public var changes: [DataChange]
        public var chance: FaultChance
    }

    public var isEmpty: Bool {
        delays.isEmpty && burdens.isEmpty && interruption == nil && corruptions.isEmpty
    }

    /// All that happens before the handler answers.
    public var beforehand: [Fault] { delays + burdens + [interruption].compactMap(\.self) }
}
