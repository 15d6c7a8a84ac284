import Envelopes

/// A time span in its largest unit: `12ms`, `3.2s`, `59s`, `3m`, `2h`, `5d`.
struct Age: Sendable, Hashable {
    /// Negative ones count as none.
    var microseconds: Int64

    init(microseconds: Int64) { self.microseconds = max(0, microseconds) }

    /// Since a moment in ISO 8601; `nil` for anything else.
    init?(since text: String, now: Int64 = Timestamp.microsecondsNow()) {
        guard let time = Timestamp.microseconds(parsing: text) else { return nil }
        self.init(microseconds: now - time)
    }

    var text: String {
        let seconds = microseconds / 1_000_000
        return switch seconds {
        case 0: "\(microseconds / 1000)ms"
        case ..<10: "\(seconds).\(microseconds / 100_000 % 10)s"
        case ..<60: "\(seconds)s"
        case ..<3600: "\(seconds / 60)m"
        case ..<86_400: "\(seconds / 3600)h"
        default: "\(seconds / 86_400)d"
        }
    }
}
