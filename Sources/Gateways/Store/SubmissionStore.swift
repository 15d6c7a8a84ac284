internal import Envelopes

protocol SubmissionStore: Sendable {
    /// Writes envelopes, the first entry of their history and their outbox rows, all or nothing.
    /// - Parameters:
    ///   - submissions: with different ids and keys.
    ///   - grace: how long the relay leaves a message to the caller, unless it starts later: then it is the relay's.
    /// - Returns: an outcome for each, in the same order.
    func submit(_ submissions: [Submission], grace: Duration) async throws(StoreError) -> [SubmissionOutcome]
}

/// A new envelope, complete, and the message that will carry it.
struct Submission: Sendable {
    var id: String
    var actors: [String]
    /// Who has submitted it; `nil` where nobody is asked.
    var principal: String?
    /// The tool that was called.
    var tool: String?
    var payload: RawJSON
    /// The message up to and with `"payload":`.
    var messageHead: [UInt8]
    var schedule: Schedule
    var key: IdempotencyKey?
    /// What the caller gets to read; with a key it is kept.
    var answer = RawJSON.null

    var message: [UInt8] { Envelope.message(messageHead, payload) }
}

/// What became of a submission.
enum SubmissionOutcome: Sendable, Hashable {
    /// It is in the database, and in this row of the outbox.
    case accepted(rowID: Int64)
    /// The key has been used before: with what, and what the answer was.
    case repeated(digest: String, answer: [UInt8])
    /// An envelope of that id is there already.
    case duplicate
}

extension EnvelopeUpdate {
    /// What the history says first, and again when one that starts later is taken.
    static let sendingMessage = "Sending envelope to first actor"
}
