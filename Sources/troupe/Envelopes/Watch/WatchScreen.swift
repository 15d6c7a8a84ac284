import Envelopes

/// How a watch looks on a terminal. Pure: what is known, time and size in, lines out.
struct WatchScreen: Sendable {
    var size: Terminal.Size
    /// Microseconds since 1970.
    var now: Int64

    /// With less room beside the ids, an envelope takes two lines.
    private static let leastState = 44

    func lines(_ board: WatchBoard) -> [StyledLine] {
        let entries = board.entries
        var footer = board.trouble.map { [StyledLine($0, .yellow)] } ?? []
        let room = max(1, size.rows - 1 - footer.count)
        let heads = entries.map { head($0).columns }.max() ?? 0
        let blocks = entries.map { block($0, column: heads + Self.leastState <= size.columns ? heads + 2 : nil) }
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

    /// - Parameter column: where the bars begin, where they stand beside the ids.
    private func block(_ entry: WatchBoard.Entry, column: Int?) -> [StyledLine] {
        var head = head(entry)
        var state = bar(entry, columns: min(20, max(8, size.columns / 6)))
        state.append(percent(entry.percent))
        state.append("  ")
        state.append(self.state(entry))
        if let column {
            head.append(String(repeating: " ", count: max(0, column - head.columns)))
            head.append(state)
            return [head]
        }
        var second = StyledLine(indent(entry) + "  ")
        second.append(state)
        return [head, second]
    }

    private func head(_ entry: WatchBoard.Entry) -> StyledLine {
        var head = StyledLine("\(indent(entry))\(entry.status.mark) ", entry.status.style)
        head.append(entry.suffix, .bold)
        return head
    }

    private func indent(_ entry: WatchBoard.Entry) -> String { String(repeating: "  ", count: min(entry.depth, 4)) }

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
            line.append("  again \(soon(entry.nextAttemptAt))  ", .yellow)
            // What the message says of the time gets old.
            line.append(
                String(
                    entry.message.prefix(
                        upTo: entry.message.firstRange(of: "; next in ")?.lowerBound ?? entry.message.endIndex)))
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

    private func soon(_ time: String?) -> String {
        guard let time = time.flatMap(Timestamp.microseconds(parsing:)), time > now else { return "now" }
        return "in " + Age(microseconds: time - now).text
    }

    private func duration(_ entry: WatchBoard.Entry) -> String {
        guard let start = entry.startedAt, let end = entry.changedAt, end >= start else { return "" }
        return " after " + Age(microseconds: end - start).text
    }
}
