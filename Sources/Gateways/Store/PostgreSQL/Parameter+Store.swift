internal import EventLoops
internal import PostgreSQL

extension Parameter: ConditionValue {
    static let mark: Character = "$"

    /// Whole milliseconds, for `* interval '1 millisecond'`.
    static func milliseconds(_ duration: Duration) -> Parameter {
        .double(Double(duration.nanosecondsClamped / 1_000_000))
    }
}
