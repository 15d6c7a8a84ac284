internal import ActorKit

/// The header `troupe-fan-in`: what its submitter, or a handler on the way, says about an envelope's group.
struct FanInHeader: Sendable, Hashable {
    /// `timeout_ms`: how long the group waits for missing pieces, from the arrival of the first.
    var timeout: Duration?
    /// `on_missing`: `"release"` rather than `"fail"`.
    var releasesPartial = false
    /// `key`, `count`, `index`: a group of envelopes that come from no fan-out.
    var key: String?
    var count: Int?
    var index: Int?

    static let name = "troupe-fan-in"
    static let mostPieces = 10_000
    static let longestTimeout = Duration.seconds(30 * 86_400)

    /// - Throws: `FanInError` `.header` with the member that is wrong. One that is not known is wrong too: it may be a
    ///   misspelt timeout.
    init(_ header: RawJSON?) throws(FanInError) {
        guard let header, header.kind != .null else { return }
        guard header.kind == .object else { throw .header("must be an object, is \(header.kind)") }
        for member in header.members where member.value.kind != .null { try take(member) }
        if key == nil && (count != nil || index != nil) { throw .header("'count' and 'index' go with a 'key'") }
        guard key != nil else { return }
        guard let count else { throw .header("a 'key' needs a 'count': how many envelopes have it") }
        if let index, index >= count { throw .header("'index' is \(index), with a 'count' of \(count)") }
    }

    private mutating func take(_ member: RawJSON.Member) throws(FanInError) {
        let value = member.value
        switch member.name {
        case "timeout_ms":
            let longest = Int(Self.longestTimeout.components.seconds) * 1000
            timeout = .milliseconds(try Self.integer("timeout_ms", value, in: 1...longest))
        case "on_missing":
            guard let choice = value.string, ["fail", "release"].contains(choice) else {
                throw .header("'on_missing' must be \"fail\" or \"release\"")
            }
            releasesPartial = choice == "release"
        case "key":
            guard let text = value.string, (1...200).contains(text.utf8.count) else {
                throw .header("'key' must be a string of 1 to 200 bytes")
            }
            key = text
        case "count": count = try Self.integer("count", value, in: 1...Self.mostPieces)
        case "index": index = try Self.integer("index", value, in: 0...(Self.mostPieces - 1))
        case "splits":
            // For the sidecars of those actors.
            guard value.kind == .array, value.elements.allSatisfy({ $0.kind == .string }) else {
                throw .header("'splits' must be a list of actors' names")
            }
        default:
            throw .header("'\(member.name ?? "?")' is none of: timeout_ms, on_missing, key, count, index, splits")
        }
    }

    private static func integer(
        _ name: String, _ value: RawJSON, in range: ClosedRange<Int>
    ) throws(FanInError) -> Int {
        guard let number = value.integer, range.contains(number) else {
            throw .header("'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

extension FanInError {
    fileprivate static func header(_ problem: String) -> FanInError {
        FanInError(.header, "header \(FanInHeader.name): \(problem)")
    }
}
