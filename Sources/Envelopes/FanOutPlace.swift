/// Where an envelope stands in a fan-out, for whoever puts its children together again.
public struct FanOutPlace: Sendable, Hashable {
    /// The envelope that has fanned out.
    public var parentID: String
    /// How often that one had fanned out before: with its id, the fan-out's name.
    public var round: Int
    /// Among the children, from 0. Child 0 has its parent's id.
    public var index: Int
    /// Of the children.
    public var count: Int

    public init(parentID: String, round: Int, index: Int, count: Int) {
        self.parentID = parentID
        self.round = round
        self.index = index
        self.count = count
    }

    /// `nil` for anything but `{"of", "round", "index", "count"}` with an index below the count.
    public init?(_ json: RawJSON) {
        guard let parentID = json["of"]?.string, !parentID.isEmpty, let round = json["round"]?.integer, round >= 0,
            let index = json["index"]?.integer, let count = json["count"]?.integer, index >= 0, index < count
        else { return nil }
        self.init(parentID: parentID, round: round, index: index, count: count)
    }

    public var json: RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.name("of")
            writer.append(string: parentID)
            writer.name("round")
            writer.append(round)
            writer.name("index")
            writer.append(index)
            writer.name("count")
            writer.append(count)
            writer.endObject()
        }
    }
}

extension Headers {
    /// The header that holds an envelope's `FanOutPlace`s: a list, the innermost fan-out last.
    public static let fanOut = "troupe-fan-out"

    /// What nobody joins, as in a loop that fans out every time, must not grow for ever: the outermost are forgotten.
    private static let deepestFanOut = 16
    private static let fanOutBytes = 16 << 10

    /// Adds a fan-out within those that are noted. What stands there and is none is left out.
    public mutating func enterFanOut(_ place: FanOutPlace) {
        var list = (self[Self.fanOut]?.elements ?? []).filter { FanOutPlace($0) != nil }.suffix(Self.deepestFanOut - 1)
        list.append(place.json)
        while list.count > 1, list.reduce(0, { $0 + $1.bytes.count }) > Self.fanOutBytes { list.removeFirst() }
        self[Self.fanOut] = RawJSON(array: list)
    }

    /// Takes the innermost fan-out off. An empty list stays behind the last one: without it a sidecar would think that
    /// the header was lost on the way through a handler, and put it back.
    public mutating func leaveFanOut() {
        self[Self.fanOut] = RawJSON(array: (self[Self.fanOut]?.elements ?? []).dropLast())
    }
}
