import Envelopes
import TestSupport
import Testing

struct FanOutTests {
    private static func envelope(_ id: String) -> Envelope {
        Envelope(id: id, route: Route(actors: ["x"]), payload: .null)
    }

    /// As a sidecar does it: child 0 goes on under the id and remembers the fan-out, the others begin anew.
    private static func children(of envelope: Envelope, count: Int) -> [Envelope] {
        (0..<count).map { index in
            var child = envelope
            child.id = envelope.childID(index)
            child.headers.fanOuts = index == 0 ? envelope.headers.fanOuts + 1 : 0
            return child
        }
    }

    @Test func numbersChildrenAsTheProtocolSays() {
        let first = Self.children(of: Self.envelope("e"), count: 3)
        #expect(first.map(\.id) == ["e", "e-1", "e-2"])
        let second = Self.children(of: first[0], count: 3)
        #expect(second.map(\.id) == ["e", "e-1.1", "e-1.2"])
        #expect(Self.children(of: second[0], count: 2).map(\.id) == ["e", "e-2.1"])
        #expect(Self.children(of: first[1], count: 2).map(\.id) == ["e-1", "e-1-1"])
    }

    /// Any tree of fan-outs and single results, loops included (to an id they are just more hops).
    @Test(arguments: 0..<50)
    func idsNeverCollideAndAreDeterministic(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var alive = [Self.envelope("root")]
        var ids: Set<String> = ["root"]
        for _ in 0..<300 {
            let index = Int.random(in: alive.indices, using: &generator)
            // A hop goes over the wire.
            let parent = try Envelope(parsing: alive[index].encoded())
            let count = Int.random(in: 2...5, using: &generator)
            let children = Self.children(of: parent, count: count)
            #expect(children == Self.children(of: alive[index], count: count), "a redelivery gives the same")
            for child in children.dropFirst() { #expect(ids.insert(child.id).inserted, "\(child.id) is there twice") }
            alive[index] = children[0]
            alive += children.dropFirst()
        }
    }
}
