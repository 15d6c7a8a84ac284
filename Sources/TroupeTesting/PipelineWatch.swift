internal import Envelopes

/// Gathers what becomes of an envelope and of all that comes out of it. Pure.
struct PipelineWatch {
    private let rootID: String
    private var ends: [String: PipelineEnd] = [:]
    private var events: [String: [EmittedEvent]] = [:]
    /// In the order in which they were told of.
    private var children: [String: [String]] = [:]
    private var open: Set<String>
    private var lastActor: String?
    /// Counts of an emitted report are once each.
    private var seenReports: Set<String> = []

    init(rootID: String) {
        self.rootID = rootID
        open = [rootID]
    }

    mutating func take(_ report: StatusReport) {
        guard seenReports.insert(report.eventID).inserted else { return }
        switch report.kind {
        case .created:
            children[report.parentID ?? rootID, default: []].append(report.envelopeID)
            if ends[report.envelopeID] == nil { open.insert(report.envelopeID) }
        case .emitted: events[report.envelopeID, default: []] += report.events
        case .progress, .final, .reopened: lastActor = report.currentActorName ?? lastActor
        }
    }

    mutating func take(_ end: PipelineEnd) {
        ends[end.id] = end
        open.remove(end.id)
    }

    /// Whether all that is known of has ended.
    var isDone: Bool { open.isEmpty }

    /// For whoever has waited in vain.
    var whereItIs: String { lastActor.map { "last heard of at '\($0)'" } ?? "no actor has taken it" }

    /// With its children, and theirs.
    func end() -> PipelineEnd? { end(of: rootID) }

    private func end(of id: String) -> PipelineEnd? {
        guard var end = ends[id] else { return nil }
        end.events = events[id] ?? []
        end.children = (children[id] ?? []).compactMap { self.end(of: $0) }
        return end
    }
}
