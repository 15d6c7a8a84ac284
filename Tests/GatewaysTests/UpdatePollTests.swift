import Testing

@testable import Gateways

@Suite("Poll for updates")
struct UpdatePollTests {
    private typealias Page = SettledReading.Page

    @Test("all look until it is known from where on to read, then those that have moved")
    func life() {
        var poll = UpdatePoll()
        #expect(poll.looked(.init(number: 10, laterWriter: 100)) == (10, 10))
        // Somebody may still write below 10.
        #expect(poll.read(Page(isFull: false, oldestWriter: 99)) == .all)
        #expect(poll.looked(.init(number: 12, laterWriter: 105)) == (10, 12))
        #expect(poll.read(Page(isFull: false, oldestWriter: 105)) == .all)
        #expect(poll.looked(.init(number: 15, laterWriter: 110)) == (12, 15))
        #expect(poll.read(Page(isFull: false, oldestWriter: 110)) == .some)
        #expect(poll.looked(.init(number: 15, laterWriter: 111)) == (15, 15))
    }

    @Test("what somebody is still writing is read again")
    func unsettled() {
        var poll = UpdatePoll()
        _ = poll.looked(.init(number: 1, laterWriter: 100))
        _ = poll.read(Page(isFull: false, oldestWriter: 100))
        #expect(poll.looked(.init(number: 5, laterWriter: 103)) == (1, 5))
        #expect(poll.read(Page(isFull: false, oldestWriter: 102)) == .some)
        #expect(poll.looked(.init(number: 6, laterWriter: 104)) == (1, 6))
    }

    @Test("where too many have moved, all look")
    func many() {
        var poll = UpdatePoll()
        _ = poll.looked(.init(number: 1))
        #expect(poll.read(Page(isFull: false)) == .all)
        _ = poll.looked(.init(number: 50_000))
        #expect(poll.read(Page(isFull: true)) == .all)
        #expect(poll.looked(.init(number: 50_001)) == (50_000, 50_001))
        #expect(poll.read(Page(isFull: false)) == .some)
    }
}
