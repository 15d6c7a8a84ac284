import Envelopes

/// The gateway's answer to a piece of lines.
struct BulkAnswer: Sendable {
    enum Line: Sendable {
        case accepted(id: String)
        case refused(reason: String)
    }

    /// With the line's place in the piece, from 1.
    private(set) var lines: [(place: Int, json: RawJSON, line: Line)] = []
    /// Whether all of it was dealt with; else the piece is to be sent again.
    private(set) var isComplete = false
    /// What has kept the rest from being dealt with.
    private(set) var trouble: String?

    init(_ bytes: [UInt8]) {
        for text in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let json = try? RawJSON(text, limits: JSONLimits(size: .max, nesting: 4096)) else { continue }
            let error = json["error"].map { $0["detail"]?.string ?? $0.description }
            switch (json["line"]?.integer, error, json["id"]?.string) {
            case (let place?, nil, let id?): lines.append((place, json, .accepted(id: id)))
            case (let place?, let error?, _): lines.append((place, json, .refused(reason: error)))
            case (nil, let error?, _): trouble = error
            default: isComplete = isComplete || json["lines"] != nil
            }
        }
    }
}
