import Envelopes

/// What `troupe top` knows, and in which order it shows it. Pure: answers and keys in.
struct TopBoard: Sendable {
    /// What a gateway has said, all at about the same time.
    struct Look: Sendable {
        /// The answer of `GET /actors`.
        var actors: RawJSON
        /// Unfinished ones, as `GET /envelopes` lists them.
        var envelopes: [RawJSON]
        /// Microseconds since 1970.
        var time: Int64
    }

    enum Reaction: Sendable, Hashable { case draw, quit, nothing }

    private(set) var order: TopOrder
    private(set) var isReversed = false
    /// `nil` before the first.
    private(set) var look: Look?
    /// Why there is no news just now.
    var trouble: String?

    init(order: TopOrder) { self.order = order }

    mutating func take(_ look: Look) {
        self.look = look
        trouble = nil
    }

    mutating func pressed(_ key: Character) -> Reaction {
        if key == "q" || key == "Q" { return .quit }
        guard let wanted = TopOrder.allCases.first(where: { $0.key == key }) else { return .nothing }
        isReversed = wanted == order && !isReversed
        order = wanted
        return .draw
    }

    var actors: [RawJSON] { order.sorted(look?.actors["actors"]?.elements ?? [], isReversed: isReversed) }

    /// Why the broker can't be asked; `nil` while it can.
    var brokerTrouble: String? { look?.actors["broker"]?["reason"]?.string }

    /// Those that have been under way for longest first; what is to start later is not.
    func slowest(_ limit: Int) -> [RawJSON] {
        guard let look else { return [] }
        func start(_ envelope: RawJSON) -> Int64 {
            ["not_before", "created_at"].lazy.compactMap {
                envelope[$0]?.string.flatMap(Timestamp.microseconds(parsing:))
            }
            .first ?? .max
        }
        let started = look.envelopes.map { ($0, start: start($0)) }.filter { $0.start <= look.time }
        return started.sorted { $0.start < $1.start }.prefix(limit).map(\.0)
    }

    // MARK: Totals

    enum Total: String, CaseIterable {
        case ready
        case inFlight = "in_flight"
        case deadLetters = "dead_letters"
        case completed = "completed_per_minute"
        case failed = "failed_per_minute"
        case retried = "retried_per_minute"
    }

    /// Of all actors; `nil` where nobody knows of any.
    func total(_ total: Total) -> Double? {
        let numbers = actors.compactMap { ($0[total.rawValue] ?? $0["rates"]?[total.rawValue])?.double }
        return numbers.isEmpty ? nil : numbers.reduce(0, +)
    }

    /// For programs.
    func json(_ limit: Int) -> RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.name("time")
            writer.append(string: Timestamp.text(microseconds: look?.time ?? 0))
            writer.name("broker")
            writer.append(look?.actors["broker"] ?? .null)
            writer.name("totals")
            writer.beginObject()
            for total in Total.allCases {
                writer.name(total.rawValue)
                writer.append(self.total(total).flatMap { try? RawJSON(Array($0.inHundredths.utf8)) } ?? .null)
            }
            writer.endObject()
            writer.name("actors")
            writer.append(RawJSON(array: actors))
            writer.name("slowest")
            writer.append(RawJSON(array: slowest(limit)))
            writer.endObject()
        }
    }
}

extension Double {
    /// To a hundredth, as rates come from the gateway; whole numbers without a fraction.
    var inHundredths: String {
        let rounded = (self * 100).rounded() / 100
        return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
    }
}
