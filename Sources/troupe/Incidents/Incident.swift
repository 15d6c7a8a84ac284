import Envelopes

/// An incident's envelope and its history, for people and for export. Pure.
struct Incident {
    /// What has become of it.
    enum State: String {
        case open, verified, escalated, cancelled

        var text: String { rawValue }
        var style: StyledLine.Style {
            switch self {
            case .open: .cyan
            case .verified: .green
            case .escalated: .red
            case .cancelled: .magenta
            }
        }
    }

    /// One thing that has happened.
    struct Entry {
        /// Grows within the incident.
        var number: Int
        /// ISO 8601.
        var time: String
        var actor: String
        var text: String
        var style: StyledLine.Style
    }

    let envelope: RawJSON
    let entries: [Entry]

    init(_ envelope: RawJSON, history: [RawJSON]) {
        self.envelope = envelope
        entries = history.compactMap(Entry.init)
    }

    var id: String { envelope["id"]?.string ?? "" }
    var service: String { told?["service"]?.string ?? "-" }
    var type: String { told?["type"]?.string ?? "-" }

    var state: State {
        switch envelope["status"]?.string {
        case "succeeded": .verified
        case "failed": .escalated
        case "cancelled": .cancelled
        default: .open
        }
    }

    /// From when it was opened until it was over; `nil` while it is open.
    var duration: Age? {
        guard state != .open, let begin = moment("created_at"), let end = moment("updated_at") else { return nil }
        return Age(microseconds: end - begin)
    }

    /// In a few words.
    var outcome: String {
        if let error = envelope["error"]?.string { return error }
        let actions = envelope["result"]?["actions"]?.elements ?? []
        return actions.map { action in
            let name = "\(action["tool"]?.string ?? "") \(action["target"]?.string ?? "")"
            return action["dry_run"] == nil ? name : "\(name) (dry run)"
        }.joined(separator: ", ")
    }

    var timeline: [StyledLine] {
        var head = StyledLine("\(type) of \(service)", .bold)
        head.append("  ")
        head.append(state.text, state.style)
        if let duration { head.append(" after \(duration.text)") }
        return [head]
            + entries.map { entry in
                let offset = offset(of: entry).map { "+\($0.text)" } ?? ""
                var line = StyledLine(offset.padded(toColumns: 8), .dim)
                line.append(entry.actor.padded(toColumns: 14), .dim)
                line.append(entry.text, entry.style)
                return line
            }
    }

    /// A line of an export.
    var json: RawJSON {
        func string(_ text: String?) -> RawJSON { text.map { RawJSON(string: $0) } ?? .null }
        let timeline = entries.map { entry in
            RawJSON(
                object: [
                    ("number", RawJSON(integer: entry.number)), ("time", string(entry.time)),
                    ("actor", string(entry.actor)), ("text", string(entry.text)),
                ].map(RawJSON.Member.init))
        }
        return RawJSON(
            object: [
                ("id", string(id)), ("service", string(service)), ("type", string(type)), ("state", string(state.text)),
                ("opened_at", string(envelope["created_at"]?.string)),
                ("ended_at", state == .open ? .null : string(envelope["updated_at"]?.string)),
                ("error", string(envelope["error"]?.string)), ("incident", told ?? .null),
                ("result", envelope["result"] ?? .null), ("timeline", RawJSON(array: timeline)),
            ].map(RawJSON.Member.init))
    }

    /// What the one who opened it has told.
    private var told: RawJSON? { envelope["payload"]?["incident"] }

    private func moment(_ name: String) -> Int64? { envelope[name]?.string.flatMap(Timestamp.microseconds) }

    private func offset(of entry: Entry) -> Age? {
        guard let begin = moment("created_at"), let time = Timestamp.microseconds(parsing: entry.time) else {
            return nil
        }
        return Age(microseconds: time - begin)
    }
}

extension Incident.Entry {
    /// `nil` for what is only the envelope's way.
    init?(_ update: RawJSON) {
        number = update["number"]?.integer ?? 0
        time = update["reported_at"]?.string ?? update["timestamp"]?.string ?? ""
        actor = update["actor"]?.string ?? ""
        switch update["type"]?.string {
        case "log":
            guard let message = update["data"]?["message"]?.string else { return nil }
            text = message
            style = update["data"]?["level"]?.string == "warning" ? .yellow : .plain
        case "fault":
            text = update["data"]?["message"]?.string ?? ""
            style = .magenta
        case .some: return nil
        case nil:
            let status = update["status"]?.string.flatMap(EnvelopeStatus.init)
            guard let status, status.isFinal || status == .retrying else { return nil }
            text = update["message"]?.string ?? status.rawValue
            style = status.style
        }
    }
}
