import Envelopes
import EventLoops
import Testing

@testable import Telemetry

struct SpanBatchesTests {
    let span = Span("s", .internal, .random(), below: nil, since: .now)

    /// Adds so many, and returns what that made of it.
    private func add(_ count: Int, to batches: inout SpanBatches) -> [SpanBatches.Action] {
        (0..<count).compactMap { _ in batches.add(span) }
    }

    private func size(_ action: SpanBatches.Action?) -> Int? {
        if case .send(let spans) = action { spans.count } else { nil }
    }

    @Test func waitsForMoreAndSendsWhatThereIs() {
        var batches = SpanBatches()
        #expect(add(3, to: &batches) == [.wait(.seconds(5))])
        #expect(size(batches.waited()) == 3)
        #expect(batches.waited() == nil, "one request at a time")
        #expect(batches.sent(.taken()) == nil)
        #expect(batches.exported == 3 && batches.dropped == 0)
        #expect(add(1, to: &batches) == [.wait(.seconds(5))])
    }

    @Test func sendsAFullBatchAtOnceAndTheRestAfterIt() {
        var batches = SpanBatches()
        let actions = add(512, to: &batches)
        #expect(actions.count == 2 && size(actions.last) == 512)
        #expect(add(600, to: &batches).isEmpty)
        #expect(size(batches.sent(.taken())) == 512)
        #expect(batches.sent(.taken()) == .wait(.seconds(5)))
        #expect(size(batches.waited()) == 88)
    }

    @Test func dropsWhatDoesNotFitAndCountsIt() {
        var batches = SpanBatches()
        _ = add(512 + 2048 + 10, to: &batches)
        #expect(batches.dropped == 10)
        // Every one of the others is sent.
        var sent = 512
        var action = batches.sent(.taken())
        while let count = size(action) {
            sent += count
            action = batches.sent(.taken())
        }
        #expect(sent == 512 + 2048 && action == nil)
        #expect(batches.exported == sent)
    }

    @Test func triesTheSameBatchAgainThenGivesItUp() {
        var batches = SpanBatches()
        _ = add(2, to: &batches)
        #expect(size(batches.waited()) == 2)
        var pauses: [Duration] = []
        while case .wait(let pause) = batches.sent(.busy(), random: 0.999_999) {
            pauses.append(.seconds(pause.inSeconds.rounded()))
            #expect(size(batches.waited()) == 2)
        }
        #expect(pauses == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        #expect(batches.dropped == 2 && batches.exported == 0)
        // The next batch has all of its tries.
        _ = add(1, to: &batches)
        _ = batches.waited()
        #expect(batches.sent(.busy(), random: 0) == .wait(.milliseconds(500)))
    }

    @Test func theCollectorSaysWhen() {
        var batches = SpanBatches()
        _ = add(1, to: &batches)
        _ = batches.waited()
        #expect(batches.sent(.busy(retryAfter: .seconds(7))) == .wait(.seconds(7)))
        _ = batches.waited()
        #expect(batches.sent(.busy(retryAfter: .seconds(86_400))) == .wait(.seconds(60)))
    }

    @Test func whatIsRefusedIsNotSentAgain() {
        var batches = SpanBatches()
        _ = add(3, to: &batches)
        _ = batches.waited()
        #expect(batches.sent(.refused) == nil)
        #expect(batches.dropped == 3)
        _ = add(3, to: &batches)
        _ = batches.waited()
        _ = batches.sent(.taken(rejected: 2))
        #expect(batches.dropped == 5 && batches.exported == 1)
    }

    @Test func closingSendsAllThatIsLeft() {
        var batches = SpanBatches()
        #expect(batches.close() == .end)
        #expect(size(batches.add(span)) == 1, "nothing waits any more")
        #expect(batches.sent(.taken()) == .end)

        batches = SpanBatches()
        _ = add(512 + 100, to: &batches)
        #expect(batches.close() == nil, "it is being sent")
        #expect(size(batches.sent(.taken())) == 100)
        #expect(batches.sent(.taken()) == .end)

        batches = SpanBatches()
        _ = add(1, to: &batches)
        _ = batches.waited()
        _ = batches.sent(.busy(retryAfter: .seconds(60)))
        #expect(size(batches.close()) == 1, "no pause is waited for")
    }
}
