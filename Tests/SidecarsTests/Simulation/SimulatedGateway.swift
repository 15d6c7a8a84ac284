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
        /// All that were reported, those that came too late included.
        var endings: Set<Ending> = []
        var events: Set<String> = []
    }

    private(set) var records: [String: Record] = [:]

    mutating func submit(_ id: String) { records[id] = Record() }

    mutating func apply(_ report: StatusReport) {
        // A report that comes before its child's birth registers the child.
        let id = report.envelopeID
        guard var record = records[id] ?? report.parentID.map({ Record(parentID: $0) }) else { return }
        defer { records[id] = record }
        if let ending = Ending(report) { record.endings.insert(ending) }
        guard report.kind != .created, record.ending == nil, record.events.insert(report.eventID).inserted else {
            return
        }
        record.ending = Ending(report)
    }
}

extension Ending {
    fileprivate init?(_ report: StatusReport) {
        guard report.kind == .final else { return nil }
        let kindOfError = report.error.map { String($0.prefix { $0 != ":" }) }
        self.init(status: report.status, text: kindOfError ?? report.result?.string ?? "")
    }
}
