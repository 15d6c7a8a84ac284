/// Where an envelope stands.
///
///     pending -> running <-> retrying -> succeeded | failed | cancelled
///
/// Only forward: a final status stays, unless an operator sends what has failed or was cancelled on its way again.
enum EnvelopeStatus: String, Sendable, Hashable, CaseIterable {
    /// Accepted; no actor has it yet.
    case pending
    case running
    /// An actor has failed and gets another try.
    case retrying
    case succeeded
    case failed
    case cancelled
    /// Taken over from a deployment that did not know better.
    case unknown

    var isFinal: Bool {
        switch self {
        case .succeeded, .failed, .cancelled: true
        case .pending, .running, .retrying, .unknown: false
        }
    }

    /// The final ones as a list for SQL's `IN`.
    static let finalList = "(" + allCases.filter(\.isFinal).map { "'\($0.rawValue)'" }.joined(separator: ", ") + ")"
}
