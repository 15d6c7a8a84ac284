import Envelopes

/// How `troupe top` looks. Pure: what is known and the room for it in, lines out.
struct TopScreen: Sendable {
    let columns: Int
    /// `nil` where there is no end to them, as in a pipe.
    let rows: Int?
    let address: String
    let envelopeLimit: Int

    func lines(_ board: TopBoard) -> [StyledLine] {
        let head = [title(board), totals(board)] + troubles(board)
        let actors = actorBlocks(board)
        let envelopes = envelopeBlocks(board)
        guard let rows else {
            return head + [StyledLine()] + actors.all + (envelopes.rows.isEmpty ? [] : [StyledLine()] + envelopes.all)
        }
        let room = rows - head.count - 3
        // Actors first; envelopes get what is left, a third at least where there are some.
        let least = min(envelopes.all.count, max(0, room / 3))
        let shown = actors.lines(atMost: max(2, room - least))
        let rest = envelopes.lines(atMost: max(0, room - shown.count))
        let body = [StyledLine()] + shown + (rest.isEmpty ? [] : [StyledLine()] + rest)
        return (head + body).prefix(rows - 1) + [keys(board)]
    }

    private func title(_ board: TopBoard) -> StyledLine {
        var line = StyledLine("troupe top", .bold)
        line.append("  \(address)")
        if let time = board.look?.time { line.append("  \(Timestamp.text(microseconds: time).prefix(19))Z", .dim) }
        return line
    }

    private func totals(_ board: TopBoard) -> StyledLine {
        let items: [(TopBoard.Total, String, StyledLine.Style)] = [
            (.ready, "ready", .plain), (.inFlight, "in flight", .plain), (.completed, "done/min", .plain),
            (.retried, "retried/min", .yellow), (.failed, "failed/min", .red), (.deadLetters, "dead", .red),
        ]
        var line = StyledLine(board.actors.count == 1 ? "1 actor" : "\(board.actors.count) actors", .bold)
        for (total, name, alarm) in items {
            let sum = board.total(total)
            line.append(" · \(name) ", .dim)
            line.append(sum.map { $0.inHundredths } ?? "-", (sum ?? 0) > 0 ? alarm : .plain)
        }
        return line
    }

    private func troubles(_ board: TopBoard) -> [StyledLine] {
        let broker = board.brokerTrouble.map { "the broker is away: \($0)" }
        return [board.trouble, broker].compactMap { $0.map { StyledLine($0, .yellow) } }
    }

    private func keys(_ board: TopBoard) -> StyledLine {
        var line = StyledLine("q", .bold)
        line.append(" quit  sort by", .dim)
        for order in TopOrder.allCases {
            let isChosen = order == board.order
            line.append(" \(order.key) ", .bold)
            let name = order.rawValue.replacing("-", with: " ")
            line.append(isChosen ? name + (board.isReversed ? "▴" : "▾") : name, isChosen ? .cyan : .dim)
        }
        return line
    }

    // MARK: Tables

    /// A table whose rows may take several lines each.
    private struct Blocks {
        var heading: StyledLine?
        var rows: [[StyledLine]] = []

        var all: [StyledLine] { (heading.map { [$0] } ?? []) + rows.flatMap { $0 } }

        /// Whole rows; the last line says how many there is no room for.
        func lines(atMost limit: Int) -> [StyledLine] {
            if all.count <= limit { return all }
            var lines = heading.map { [$0] } ?? []
            var count = 0
            for row in rows {
                if lines.count + row.count >= limit { break }
                lines += row
                count += 1
            }
            if lines.count < limit { lines.append(StyledLine("… and \(rows.count - count) more", .dim)) }
            return limit > 1 ? lines : []
        }
    }

    private func actorBlocks(_ board: TopBoard) -> Blocks {
        let actors = board.actors
        if actors.isEmpty { return Blocks(heading: StyledLine("no actors: no sidecar has started yet", .dim)) }
        let (heading, rows) = ActorTable(actors).blocks(width: columns)
        let styled = zip(actors, rows).map { actor, lines in lines.map { StyledLine($0, Self.style(actor)) } }
        return Blocks(heading: heading.map { StyledLine($0, .bold) }, rows: styled)
    }

    /// What keeps work from being done stands out.
    private static func style(_ actor: RawJSON) -> StyledLine.Style {
        if actor["state"]?.string == "paused" { return .yellow }
        let isStuck = actor["consumers"]?.integer == 0 && (actor["ready"]?.integer ?? 0) > 0
        return isStuck || (actor["rates"]?["failed_per_minute"]?.double ?? 0) > 0 ? .red : .plain
    }

    private func envelopeBlocks(_ board: TopBoard) -> Blocks {
        let envelopes = board.slowest(envelopeLimit)
        if envelopes.isEmpty { return Blocks() }
        var table = Table("UNDER WAY", "FOR", "SILENT", "STATUS", "DONE", "ACTOR", "TOOL", "MESSAGE")
        let now = board.look?.time ?? 0
        func age(_ envelope: RawJSON, _ name: String) -> String {
            envelope[name]?.string.flatMap { Age(since: $0, now: now)?.text } ?? "-"
        }
        for envelope in envelopes {
            table.append(
                envelope["id"]?.string ?? "",
                age(envelope, envelope["not_before"] == nil ? "created_at" : "not_before"),
                age(envelope, "updated_at"), envelope["status"]?.string ?? "",
                envelope["progress_percent"]?.double.map { "\(Int($0))%" } ?? "-",
                envelope["current_actor_name"]?.string ?? "-", envelope["tool"]?.string ?? "-",
                envelope["message"]?.string ?? "")
        }
        let (heading, rows) = table.blocks(width: columns)
        let styled = zip(envelopes, rows).map { envelope, lines in
            let status = envelope["status"]?.string.flatMap(EnvelopeStatus.init) ?? .unknown
            return lines.map { StyledLine($0, status == .retrying ? .yellow : .plain) }
        }
        return Blocks(heading: heading.map { StyledLine($0, .bold) }, rows: styled)
    }
}
