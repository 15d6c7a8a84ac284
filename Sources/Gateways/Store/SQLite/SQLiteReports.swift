internal import Envelopes
internal import GRDB

extension SQLiteEnvelopeStore {
    func apply(_ changes: [EnvelopeChange]) async throws(StoreError) -> [ChangeOutcome] {
        try await write { writer in try changes.map { change in try writer.apply(change) } }
    }

    func append(_ reports: [PartialResults], limit: Int) async throws(StoreError) -> [PartialOutcome] {
        try await write { writer in try reports.map { report in try writer.append(report, limit: limit) } }
    }
}

extension StoreWriter {
    // MARK: Changes

    fileprivate mutating func apply(_ change: EnvelopeChange) throws -> ChangeOutcome {
        guard var machine = try machine(of: change.envelopeID, [change.eventID]) else {
            guard let child = change.child else { return .unknown }
            _ = try register(child)
            // It is there now.
            return try apply(change)
        }
        let before = machine
        switch machine.apply(change) {
        case .ignore: return .ignored(percent: before.percent, isCancelled: before.status == .cancelled)
        case .log(let status, let percent):
            if change.isReopening, let result = before.result { try keep(result, of: change.envelopeID) }
            try log(change, status, percent)
            try update(machine, change)
            return .applied(percent: percent)
        }
    }

    private mutating func log(_ change: EnvelopeChange, _ status: EnvelopeStatus, _ percent: Double) throws {
        let isFailure = change.status.isFinal && status != .succeeded
        try log(
            Entry(
                envelopeID: change.envelopeID, status: status, message: change.message, error: change.error,
                percent: percent, actor: change.actorName, actors: change.actors, actorIndex: change.actorIndex,
                phase: change.phase, attempt: change.attempt, nextAttemptAt: change.nextAttemptAt,
                eventID: change.eventID, reportedAt: change.reportedAt,
                result: .json(change.status.isFinal ? nil : change.result),
                failedMessage: .json(isFailure ? change.failedMessage : nil)))
    }

    private func update(_ machine: EnvelopeStateMachine, _ change: EnvelopeChange) throws {
        let id = DatabaseValue.text(change.envelopeID)
        try database.run(
            """
            UPDATE envelopes SET
                status = ?2, progress_percent = ?3, route_actors = ?4, total_actors = ?5, current_actor_idx = ?6, route_current = ?6,
                actors_completed = ?7, current_actor_name = ?8, replays = ?9, loops = ?10, attempt = ?11, next_attempt_at = ?12,
                message = ?13, error = ?14, updated_at = ?15
            WHERE id = ?1
            """,
            [
                id, .text(machine.status.rawValue), .double(machine.percent), .texts(machine.actors),
                .integer(machine.actors.count), .integer(machine.actorIndex), .integer(machine.actorsCompleted),
                .text(machine.actorName), .integer(machine.round.replays), .integer(machine.round.loops),
                .integer(machine.attempt), .time(microseconds: machine.nextAttemptAt), .text(machine.message),
                .text(machine.error), .time(microseconds: now),
            ])
        if change.status.isFinal || change.isReopening {
            try database.run("UPDATE envelopes SET result = ? WHERE id = ?", [.json(machine.result), id])
        }
        if change.isReopening {
            try database.run(
                "UPDATE envelopes SET deadline = NULL WHERE id = ? AND deadline < ?", [id, .time(microseconds: now)])
        }
    }

    /// The result of an end that isn't one any more stays in the history.
    func keep(_ result: RawJSON, of id: String) throws {
        try database.run(
            "UPDATE envelope_updates SET result = ?2 WHERE id = (SELECT max(id) FROM envelope_updates WHERE envelope_id = ?1)",
            [.text(id), .json(result)])
    }

    // MARK: Partial results

    fileprivate mutating func append(_ report: PartialResults, limit: Int) throws -> PartialOutcome {
        if report.events.isEmpty { return .ignored }
        guard var machine = try machine(of: report.envelopeID, report.events.map(\.id)) else {
            guard let child = report.child else { return .unknown }
            _ = try register(child)
            return try append(report, limit: limit)
        }
        let rows = machine.append(report, limit: limit)
        if rows.isEmpty { return .ignored }
        for row in rows {
            try log(
                Entry(
                    envelopeID: report.envelopeID, status: machine.status, message: row.message ?? "",
                    percent: row.percent, actor: report.actorName, actorIndex: report.actorIndex,
                    attempt: report.attempt, eventID: row.id, timestamp: row.timestamp,
                    partial: .init(type: row.type, call: report.call), result: .json(row.data)))
        }
        let isProgress = rows.contains { $0.percent != nil }
        try database.run(
            """
            UPDATE envelopes SET partial_count = ?2, progress_percent = ?3, message = ?4,
                updated_at = CASE WHEN ?5 THEN ?6 ELSE updated_at END
            WHERE id = ?1
            """,
            [
                .text(report.envelopeID), .integer(machine.partialCount), .double(machine.percent),
                .text(machine.message), isProgress.databaseValue, .time(microseconds: now),
            ])
        return .applied
    }

    // MARK: The state before

    /// - Parameter events: of the reports to come.
    /// - Returns: `nil` when there is no such envelope.
    private func machine(of id: String, _ events: [String?]) throws -> EnvelopeStateMachine? {
        guard
            var machine = try database.row(
                """
                SELECT status, progress_percent, route_actors, current_actor_idx, current_actor_name, replays, loops, attempt,
                       next_attempt_at, message, error, partial_count, result
                FROM envelopes WHERE id = ?
                """, [.text(id)], { try EnvelopeStateMachine($0) })
        else { return nil }
        for case let event? in events {
            let isSeen = try database.row(
                "SELECT 1 FROM envelope_updates WHERE envelope_id = ? AND event_id = ?", [.text(id), .text(event)]
            ) { _ in true }
            if isSeen == true { machine.seenEvents.insert(event) }
        }
        return machine
    }
}

extension EnvelopeStateMachine {
    fileprivate init(_ row: Row) throws {
        self.init(
            status: EnvelopeStatus(rawValue: try row.string(0)) ?? .unknown, percent: try row.double(1),
            actors: try row.strings(2), actorIndex: try row.integer(3), actorName: try row.optionalString(4),
            round: EnvelopeRound(replays: try row.integer(5), loops: try row.integer(6)),
            attempt: try row.optionalInteger(7), nextAttemptAt: try row.optionalMicroseconds(8),
            message: try row.string(9), result: try row.optionalBytes(12).map { RawJSON(stored: $0) },
            error: try row.optionalString(10), partialCount: try row.integer(11))
    }
}
