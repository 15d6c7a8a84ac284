import Envelopes
import Testing

@testable import Sidecars

struct CancellationsTests {
    func envelope(_ id: String, parent: String? = nil) -> Envelope {
        Envelope(id: id, parentID: parent, route: Route(actors: ["a"]), payload: .null)
    }

    @Test func coverAnEnvelopeAndItsChildren() {
        var cancellations = Cancellations()
        #expect(!cancellations.cover(envelope("e")))
        cancellations.insert(["e", "x"])
        #expect(cancellations.cover(envelope("e")) && cancellations.cover(envelope("e-1", parent: "e")))
        #expect(!cancellations.cover(envelope("e-1")) && !cancellations.cover(envelope("f", parent: "g")))
        cancellations.remove(["e", "nobody"])
        #expect(!cancellations.cover(envelope("e")) && cancellations.cover(envelope("x")))
        // One that was taken back may have a parent that is still cancelled.
        cancellations.remove(["x-1"])
        #expect(!cancellations.cover(envelope("x-1", parent: "x")) && cancellations.cover(envelope("x-2", parent: "x")))
        cancellations.insert(["x-1"])
        #expect(cancellations.cover(envelope("x-1", parent: "x")))
    }

    @Test func theOldestAreForgottenFirst() {
        var cancellations = Cancellations(capacity: 3)
        cancellations.insert(["a", "b", "a", "c"])
        cancellations.insert(["d"])
        #expect(!cancellations.cover(envelope("a")))
        #expect(["b", "c", "d"].allSatisfy { cancellations.cover(envelope($0)) })
        // One that was taken back does not count.
        cancellations.remove(["c"])
        cancellations.insert(["e"])
        #expect(["b", "d", "e"].allSatisfy { cancellations.cover(envelope($0)) })
    }
}
