import Envelopes
import HTTPClient

/// Where an envelope stands.
enum EnvelopeStatus: String, Sendable, CaseIterable {
    case pending, running, retrying, succeeded, failed, cancelled, unknown

    var isFinal: Bool { self == .succeeded || self == .failed || self == .cancelled }

    var style: StyledLine.Style {
        switch self {
        case .pending, .unknown: .dim
        case .running: .cyan
        case .retrying: .yellow
        case .succeeded: .green
        case .failed: .red
        case .cancelled: .magenta
        }
    }

    var mark: String {
        switch self {
        case .pending, .unknown: "·"
        case .running: "▸"
        case .retrying: "↻"
        case .succeeded: "✓"
        case .failed: "✗"
        case .cancelled: "–"
        }
    }
}

/// One event of an envelope's stream.
struct EnvelopeEvent: Sendable {
    var envelopeID: String
    /// The envelope that it came out of.
    var parentID: String?
    /// Grows.
    var number: Int
    /// ISO 8601.
    var time: String
    var actor: String?
    var attempt: Int?
    var content: Content

    enum Content: Sendable {
        case update(Update)
        case partial(Partial)
    }

    /// It has come somewhere.
    struct Update: Sendable {
        var status: EnvelopeStatus
        var message: String
        /// 0...100
        var percent: Double?
        /// ISO 8601, while it waits for a retry.
        var nextAttemptAt: String?
        var error: String?
        var actors: [String]
    }

    /// A handler tells something while it works.
    struct Partial: Sendable {
        var type: String
        var data: RawJSON
    }

    /// `nil` for what is no event of an envelope.
    init?(_ event: EventStreamParser.Event) {
        guard let json = try? RawJSON(Array(event.data.utf8), limits: JSONLimits(size: .max, nesting: 4096)),
            let id = json["id"]?.string
        else { return nil }
        envelopeID = id
        parentID = json["parent_id"]?.string
        number = Int(event.id) ?? 0
        time = json["reported_at"]?.string ?? json["timestamp"]?.string ?? ""
        actor = json["actor"]?.string
        attempt = json["attempt"]?.integer
        switch event.name {
        case "update":
            content = .update(
                Update(
                    status: json["status"]?.string.flatMap(EnvelopeStatus.init) ?? .unknown,
                    message: json["message"]?.string ?? "", percent: json["progress_percent"]?.double,
                    nextAttemptAt: json["next_attempt_at"]?.string, error: json["error"]?.string,
                    actors: json["actors"]?.elements.compactMap(\.string) ?? []))
        case "partial":
            content = .partial(Partial(type: json["type"]?.string ?? "", data: json["data"] ?? .null))
        default: return nil
        }
    }
}
