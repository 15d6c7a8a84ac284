internal import Envelopes

/// An envelope that a fan-out has made: an actor has sent it on already, here it only becomes known.
struct FanOutChild: Sendable, Hashable {
    var id: String
    var parentID: String
    var actors: [String]
    var actorIndex: Int

    init(id: String, parentID: String, actors: [String], actorIndex: Int) {
        self.id = id
        self.parentID = parentID
        self.actors = actors
        self.actorIndex = min(max(actorIndex, 0), 1_000_000)
    }

    /// `nil` for a report without a parent.
    init?(_ report: StatusReport) {
        guard let parentID = report.parentID else { return nil }
        self.init(
            id: report.envelopeID, parentID: parentID, actors: report.actors, actorIndex: report.currentActorIndex)
    }
}

extension EnvelopeChange {
    /// Whose report overtook its own `created`: what is known of it. `nil` for what is no child.
    var child: FanOutChild? {
        parentID.map { FanOutChild(id: envelopeID, parentID: $0, actors: actors, actorIndex: actorIndex ?? 0) }
    }
}

extension PartialResults {
    /// The same.
    var child: FanOutChild? {
        parentID.map { FanOutChild(id: envelopeID, parentID: $0, actors: actors, actorIndex: actorIndex) }
    }
}
