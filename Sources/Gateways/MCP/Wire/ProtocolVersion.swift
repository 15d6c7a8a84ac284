/// The revisions of MCP that are spoken here.
///
/// Up to 2025-11-25 a client opens a session with `initialize`. Since 2026-07-28 each request stands for itself.
enum ProtocolVersion: String, Sendable, CaseIterable, Comparable {
    case march2025 = "2025-03-26"
    case june2025 = "2025-06-18"
    case november2025 = "2025-11-25"
    case july2026 = "2026-07-28"

    var isStateless: Bool { self >= .july2026 }

    static let stateless = allCases.filter(\.isStateless)
    static let withSessions = allCases.filter { !$0.isStateless }

    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}
