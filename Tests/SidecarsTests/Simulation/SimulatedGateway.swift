import Envelopes

/// Where an envelope ended.
struct Ending: Hashable, CustomStringConvertible {
    var status: String
    /// The payload that came to `happy-end`, or what kind of error it was.
    var text: String

    var description: String { "\(status): \(text)" }
}

/// What a gateway makes of status reports, by the rule of its `EnvelopeStateMachine`: the first end stays, and an event
/// counts once.
struct SimulatedGateway {
    struct Record {
        var parentID: String?
        var ending: Ending?
        var events: Set<String> = []
    }

    private(set) var records: [String: Record] = [:]
    /// Reports of another end than the one that is known.
    private(set) var contradictions: [String] = []

    mutating func submit(_ id: String) { records[id] = Record() }

    mutating func apply(_ report: StatusReport) {
        let id = report.envelopeID
        // Also a report that comes before its child's birth registers the child.
        guard var record = records[id] ?? report.parentID.map({ Record(parentID: $0) }) else { return }
        defer { records[id] = record }
        guard report.kind != .created else { return }
        let ending = report.ending
        if let known = record.ending {
            if let ending, ending != known { contradictions.append("\(id) ended as \(known), and again as \(ending)") }
            return
        }
        if record.events.insert(report.eventID).inserted { record.ending = ending }
    }
}

extension StatusReport {
    fileprivate var ending: Ending? {
        guard kind == .final else { return nil }
        let kindOfError = error.map { String($0.prefix { $0 != ":" }) }
        return Ending(status: status, text: kindOfError ?? result?.string ?? "")
    }
}
