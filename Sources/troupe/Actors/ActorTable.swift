import Envelopes

/// Actors as the gateway describes them, a line each.
struct ActorTable {
    private var table = Table(
        "ACTOR", "READY", "IN FLIGHT", "CONSUMERS", "DEAD", "RATE/MIN", "FAILED/MIN", "OLDEST", "STATE")

    init(_ actors: [RawJSON]) {
        for actor in actors {
            table.append(
                actor["name"]?.string ?? "", number(actor["ready"]), number(actor["in_flight"]),
                number(actor["consumers"]), number(actor["dead_letters"]),
                number(actor["rates"]?["completed_per_minute"]), number(actor["rates"]?["failed_per_minute"]),
                actor["oldest_at"]?.string.flatMap { Age(since: $0)?.text } ?? "-", state(actor))
        }
    }

    func lines(width: Int) -> [String] { table.lines(width: width) }
    func blocks(width: Int) -> (heading: String?, rows: [[String]]) { table.blocks(width: width) }
}

/// As it came; `-` for what nobody knows.
private func number(_ json: RawJSON?) -> String {
    json.flatMap { $0.kind == .number ? $0.description : nil } ?? "-"
}

private func state(_ actor: RawJSON) -> String {
    guard let paused = actor["paused"] else { return actor["state"]?.string ?? "-" }
    let since = paused["since"]?.string.map { " since \($0.prefix(19))Z" } ?? ""
    let by = paused["by"]?.string.map { " by \($0)" } ?? ""
    return "paused\(since)\(by)" + (paused["reason"]?.string.map { ": \($0)" } ?? "")
}
