import Synchronization
import Testing

@testable import Gateways

@Suite("Reads of many")
struct SharedReadsTests {
    @Test("who comes while a read is under way gets what is read after that")
    func after() async throws {
        let reads = SharedReads<String, Int>()
        let count = Mutex(0)
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let read: SharedReads<String, Int>.Read = { () async throws(StoreError) in
            let number = count.withLock { count in
                count += 1
                return count
            }
            if number == 1 { for await _ in gate { break } }
            return number
        }
        let first = Task { try await reads.value(of: "a", read) }
        try await eventually("it did not begin") { count.withLock { $0 == 1 } }
        let later = (0..<100).map { _ in Task { try await reads.value(of: "a", read) } }
        // Another one waits for nobody.
        #expect(try await reads.value(of: "b", read) == 2)
        try await Task.sleep(for: .milliseconds(100))
        open.finish()
        #expect(try await first.value == 1)
        for task in later { #expect(try await task.value == 3) }
        #expect(try await reads.value(of: "a", read) == 4)
    }

    @Test("an error is everybody's, and over with the next read")
    func errors() async throws {
        let reads = SharedReads<Int, Int>()
        await #expect(throws: StoreError(.unavailable, "away")) {
            try await reads.value(of: 1) { () async throws(StoreError) in throw StoreError(.unavailable, "away") }
        }
        #expect(try await reads.value(of: 1) { () async throws(StoreError) in 7 } == 7)
    }
}
