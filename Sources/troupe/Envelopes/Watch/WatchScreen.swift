import Envelopes

/// How a watch looks on a terminal. Pure: what is known, time and size in, lines out.
struct WatchScreen: Sendable {
    var size: Terminal.Size
    /// Microseconds since 1970.
    var now: Int64

    /// Below that an envelope takes two lines.
    private static let wide = 72
    private static let barColumns = 20

    func lines(_ board: WatchBoard) -> [StyledLine] {
        let entries = board.entries
        var footer = board.trouble.map { [StyledLine($0, .yellow)] } ?? []
        let room = max(1, size.rows - 1 - footer.count)
        let blocks = entries.map(lines)
        var count = blocks.reduce(0) { $0 + $1.count }
        guard count > room else { return blocks.flatMap { $0 } + footer }
        // What has come out of one and has succeeded makes room for the rest.
        var kept: [[StyledLine]] = []
        count += 1
        for (entry, block) in zip(entries, blocks).reversed() {
            if count > room, entry.depth > 0, entry.status == .succeeded {
                count -= block.count
            } else {
                kept.append(block)
            }
        }
        let lines = kept.reversed().flatMap { $0 }
        let isAll = lines.count < room
        let note = isAll ? "… and \(blocks.count - kept.count) that have succeeded" : "… more than there is room for"
        footer.insert(StyledLine(note, .dim), at: 0)
        return lines.prefix(room - 1) + footer
    }

    private func lines(_ entry: WatchBoard.Entry) -> [StyledLine] {
        let indent = String(repeating: "  ", count: min(entry.depth, 4))
        var head = StyledLine("\(indent)\(entry.status.mark) ", entry.status.style)
        head.append(entry.id, .bold)
        var state = bar(entry, columns: size.columns >= Self.wide ? Self.barColumns : 10)
        state.append(percent(entry.percent))
        state.append("  ")
        state.append(self.state(entry))
        guard size.columns < Self.wide || head.columns + state.columns > size.columns + 12 else {
            head.append("  ")
            head.append(state)
            return [head]
        }
        var second = StyledLine(indent + "  ")
        second.append(state)
        return [head, second]
    }

    private func bar(_ entry: WatchBoard.Entry, columns: Int) -> StyledLine {
        ProgressBar(fraction: entry.percent / 100, style: entry.status.style).line(columns: columns)
    }

    private func percent(_ percent: Double) -> String {
        let number = String(Int(percent))
        return String(repeating: " ", count: max(0, 4 - number.count)) + number + "%"
    }

    private func state(_ entry: WatchBoard.Entry) -> StyledLine {
        var line = StyledLine()
        switch entry.status {
        case .succeeded, .cancelled: line.append("\(entry.status.rawValue)\(duration(entry))", entry.status.style)
        case .failed:
            line.append("failed\(duration(entry))", .red)
            if let actor = entry.actor { line.append(" at \(actor)") }
            line.append(": \(entry.error ?? entry.message)")
        case .retrying:
            line.append("\(entry.actor ?? "retrying")", .bold)
            line.append("  \(attempt(entry)) failed, again \(soon(entry.nextAttemptAt))", .yellow)
            if let error = entry.error { line.append(": \(error)") }
        case .pending, .running, .unknown:
            if let actor = entry.actor {
                line.append(actor, .bold)
                line.append("  ")
            }
            if let attempt = entry.attempt, attempt > 1 { line.append("attempt \(attempt)  ", .yellow) }
            line.append(entry.message.isEmpty ? entry.status.rawValue : entry.message)
        }
        return line
    }

    private func attempt(_ entry: WatchBoard.Entry) -> String { entry.attempt.map { "attempt \($0)" } ?? "an attempt" }

    private func soon(_ time: String?) -> String {
        guard let time = time.flatMap(Timestamp.microseconds(parsing:)), time > now else { return "now" }
        return "in " + Age(microseconds: time - now).text
    }

    private func duration(_ entry: WatchBoard.Entry) -> String {
        guard let start = entry.startedAt, let end = entry.changedAt, end >= start else { return "" }
        return " after " + Age(microseconds: end - start).text
    }
}
