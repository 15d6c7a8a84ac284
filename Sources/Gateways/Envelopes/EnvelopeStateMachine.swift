internal import Envelopes

/// How an envelope's state answers to reports. Pure: the rule in one place, to read and to test.
///
/// On a file of SQLite's it is what decides. PostgreSQL carries the same rule out as one statement (`ApplyChanges`), since many gateways
/// write at once; a test plays random reports against all of them and compares.
struct EnvelopeStateMachine: Sendable, Hashable {
    var status: EnvelopeStatus
    var percent: Double = 0
    var actors: [String]
    var actorIndex = 0
    var actorName: String?
    var round = EnvelopeRound()
    var attempt: Int?
    var nextAttemptAt: Int64?
    var message: String
    var result: RawJSON?
    var error: String?
    var partialCount = 0
    /// Of the reports that are in the history: at least those that are to come again.
    var seenEvents: Set<String> = []

    var actorsCompleted: Int { status == .succeeded ? actors.count : min(actorIndex, actors.count) }

    enum Action: Sendable, Hashable {
        /// Writes an update into the history, with the envelope's status and percent after the change.
        case log(status: EnvelopeStatus, percent: Double)
        case ignore(Reason)
    }

    enum Reason: String, Sendable, Hashable {
        /// The envelope has ended: late progress and second ends change nothing.
        case isFinal
        /// It tells the end, or the beginning, of a run before the last replay.
        case isOutdated
        /// The report has been counted before.
        case isRepeated
    }

    mutating func apply(_ change: EnvelopeChange) -> Action {
        if status.isFinal && !(change.isReopening && status != .succeeded) { return .ignore(.isFinal) }
        let isTurn = change.status.isFinal || change.isReopening
        if isTurn && change.round.replays < round.replays { return .ignore(.isOutdated) }
        if let eventID = change.eventID, !seenEvents.insert(eventID).inserted { return .ignore(.isRepeated) }

        // A report from an actor that the envelope has left behind is history, but no news.
        let index = change.actorIndex ?? actorIndex
        let isNews = isTurn || (change.round, index) >= (round, actorIndex)
        percent = max(percent, change.percent)
        if isNews {
            status = change.status
            if !change.actors.isEmpty { actors = change.actors }
            let beginsRound = change.isReopening || change.round > round
            actorIndex = beginsRound ? index : max(actorIndex, index)
            round = beginsRound ? change.round : round
            actorName = change.actorName ?? actorName
            // The end leaves the number of the last attempt.
            if !change.status.isFinal { attempt = change.attempt }
            nextAttemptAt = change.nextAttemptAt
            message = change.message
            error = change.isReopening ? nil : change.error ?? error
        }
        if isTurn { result = change.result }
        return .log(status: status, percent: percent)
    }

    /// What a handler tells while it works: the envelope's percent and message move with its progress, and nothing else.
    /// - Parameter limit: of such rows in the history. One more says that the rest is left out.
    /// - Returns: the rows for the history.
    mutating func append(_ results: PartialResults, limit: Int) -> [PartialResults.Event] {
        if status.isFinal { return [] }
        let before = percent
        let isNews = (results.round, results.actorIndex) >= (round, actorIndex)
        var rows: [PartialResults.Event] = []
        for (number, event) in results.events.enumerated() where number + partialCount <= limit {
            if let id = event.id, !seenEvents.insert(id).inserted { continue }
            guard number + partialCount < limit else {
                let notice = PartialResults.fullNotice(limit)
                rows.append(.init(id: event.id, type: "log", data: notice, timestamp: event.timestamp))
                continue
            }
            var row = event
            row.percent = event.percent.map { max(before, $0) }
            rows.append(row)
            percent = max(percent, event.percent ?? 0)
            if isNews, let message = event.message { self.message = message }
        }
        partialCount += rows.count
        return rows
    }
}

extension EnvelopeStateMachine {
    /// Of an envelope that was just submitted.
    init(status: EnvelopeStatus = .pending, actors: [String], message: String = "") {
        self.init(status: status, actors: actors, actorName: actors.first, message: message)
    }
}
