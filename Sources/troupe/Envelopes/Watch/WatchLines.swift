import Envelopes

/// How a watch looks where there is no terminal: a line for each event.
enum WatchLines {
    static func line(_ event: EnvelopeEvent) -> StyledLine {
        var line = StyledLine(event.time.prefix(19) + "Z", .dim)
        line.append("  \(event.envelopeID)  ", .bold)
        switch event.content {
        case .update(let update):
            line.append(update.status.rawValue, update.status.style)
            if let percent = update.percent { line.append("  \(Int(percent))%") }
            if let actor = event.actor { line.append("  \(actor)") }
            if let attempt = event.attempt, attempt > 1 { line.append("  attempt \(attempt)", .yellow) }
            line.append("  \(update.message)")
            if let error = update.error, !update.message.contains(error) { line.append(": \(error)") }
        case .partial(let partial):
            line.append(event.actor ?? "")
            line.append("  ")
            line.append(told(partial))
        }
        return line
    }

    /// What a handler has told, for the screen above the bars; `nil` for what the bars show.
    static func said(_ event: EnvelopeEvent) -> StyledLine? {
        guard case .partial(let partial) = event.content, partial.type != "progress" else { return nil }
        var line = StyledLine("\(event.envelopeID) \(event.actor ?? "")  ", .dim)
        line.append(told(partial))
        return line
    }

    private static func told(_ partial: EnvelopeEvent.Partial) -> StyledLine {
        switch partial.type {
        case "log":
            let level = partial.data["level"]?.string ?? "info"
            let isBad = ["warning", "error", "critical", "alert", "emergency"].contains(level)
            var line = StyledLine("\(level): ", isBad ? .yellow : .dim)
            line.append(partial.data["message"]?.string ?? partial.data.description)
            return line
        case "fault" where partial.data["injected"]?.boolean == true:
            return StyledLine("fault: \(partial.data["message"]?.string ?? "injected")", .magenta)
        case "progress":
            let percent = partial.data["percent"].flatMap(\.double).map { "\(Int(max(-1, min($0, 101))))% " } ?? ""
            return StyledLine(percent + (partial.data["message"]?.string ?? ""))
        default:
            var line = StyledLine("\(partial.type): ", .dim)
            line.append(partial.data.description)
            return line
        }
    }
}
