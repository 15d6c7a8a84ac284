import Envelopes

/// Missions as the registry describes them, a line each.
struct MissionTable {
    private var table = Table(
        "MISSION", "STATUS", "WAY", "SPEED", "ASKED/S", "OFFERED/S", "DOCKED/S", "DOCKED", "FAILED", "IN FLIGHT")

    init(_ missions: [RawJSON]) {
        for mission in missions {
            let rates = mission["rates"]
            table.append(
                mission["id"]?.string ?? "", mission["status"]?.string ?? "",
                "\(mission["source"]?.string ?? "") -> \(mission["destination"]?.string ?? "")",
                mission["speed"]?.string ?? "", text(rates?["requested"]), text(rates?["offered"]),
                text(rates?["docked"]), text(mission["docked"]), text(mission["failed"]?["total"]),
                text(mission["in_flight"]))
        }
    }

    func lines(width: Int) -> [String] { table.lines(width: width) }
}

/// One mission, with its ledger.
struct MissionText {
    let lines: [String]

    init(_ mission: RawJSON) {
        let rates = mission["rates"]
        var lines = [
            "mission    \(mission["id"]?.string ?? "")",
            "status     \(mission["status"]?.string ?? "")" + (mission["reason"]?.string.map { ", \($0)" } ?? ""),
            "way        \(mission["source"]?.string ?? "") -> \(mission["destination"]?.string ?? "")",
            "speed      \(mission["speed"]?.string ?? "")\(mission["escort"]?.description == "true" ? ", with escort" : "")",
            "rates/s    \(text(rates?["requested"])) asked, \(text(rates?["offered"])) offered, "
                + "\(text(rates?["docked"])) docked, over \(text(rates?["seconds"])) s",
            "offered    \(text(mission["offered"])) in \(text(mission["ticks"])) bursts",
            "docked     \(text(mission["docked"]))",
            "in flight  \(text(mission["in_flight"]))",
            "failed     \(text(mission["failed"]?["total"]))",
        ]
        for cause in mission["failed"]?.members ?? [] where cause.name != "total" && cause.value.integer ?? 0 > 0 {
            lines.append("  \(cause.name ?? "")  \(text(cause.value))")
        }
        for failure in mission["failures"]?.elements ?? [] {
            lines.append(
                "\(failure["at"]?.string ?? "")  \(failure["cause"]?.string ?? "")  \(failure["text"]?.string ?? "")")
        }
        self.lines = lines
    }
}

private func text(_ json: RawJSON?) -> String { json?.description ?? "-" }
