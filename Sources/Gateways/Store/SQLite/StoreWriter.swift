internal import GRDB

/// One caller's part of a transaction.
struct StoreWriter {
    let database: Database
    /// Microseconds since 1970.
    let now: Int64
    /// Envelopes whose histories have grown.
    private(set) var moved: Set<String> = []

    init(_ database: Database, now: Int64) {
        self.database = database
        self.now = now
    }

    /// A new row of a history.
    struct Entry {
        var envelopeID: String
        var status: EnvelopeStatus
        var message = ""
        var error: String?
        var percent: Double?
        var actor: String?
        /// Empty: not said.
        var actors: [String] = []
        var actorIndex: Int?
        var phase: String?
        var attempt: Int?
        var nextAttemptAt: Int64?
        var eventID: String?
        /// `nil`: now.
        var timestamp: Int64?
        var reportedAt: Int64?
        var partial: EnvelopeUpdate.Partial?
        var result = DatabaseValue.null
        var sentHead = DatabaseValue.null
        var failedMessage = DatabaseValue.null
    }

    mutating func log(_ entry: Entry) throws {
        try database.run(
            """
            INSERT INTO envelope_updates (
                envelope_id, status, message, error, progress_percent, actor, actors, current_actor_idx, envelope_state, attempt,
                next_attempt_at, event_id, timestamp, reported_at, partial_type, partial_call, result, sent_head, failed_message)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .text(entry.envelopeID), .text(entry.status.rawValue), .text(entry.message), .text(entry.error),
                .double(entry.percent), .text(entry.actor), entry.actors.isEmpty ? .null : .texts(entry.actors),
                .integer(entry.actorIndex), .text(entry.phase), .integer(entry.attempt),
                .time(microseconds: entry.nextAttemptAt), .text(entry.eventID),
                .time(microseconds: entry.timestamp ?? now), .time(microseconds: entry.reportedAt),
                .text(entry.partial?.type), .text(entry.partial?.call), entry.result, entry.sentHead,
                entry.failedMessage,
            ])
        moved.insert(entry.envelopeID)
    }

    /// Sidecars are to be told, or told again.
    func noteCancellation(of id: String) throws {
        try database.run(
            """
            INSERT INTO cancellations (envelope_id, requested_at) VALUES (?1, ?2)
            ON CONFLICT (envelope_id) DO UPDATE SET requested_at = ?2, announced_at = NULL
            """, [.text(id), .time(microseconds: now)])
    }
}
