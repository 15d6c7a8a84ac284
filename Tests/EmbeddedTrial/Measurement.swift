import EmbeddedTransports
import Foundation
import Transports

/// What a message costs on this machine's disk.
struct Measurement {
    let transport: EmbeddedTransport
    let path: String

    private static let body = [UInt8](repeating: 0x41, count: 1000)

    func run() async throws {
        await transport.declare(.actor("fill"))
        for (callers, count) in [(1, 500), (64, 20_000), (1000, 50_000)] {
            let time = try await publish(count, callers: callers)
            print("published by \(callers): \(Int(Double(count) / time)) messages/s")
        }
        try await hops()
        try await fill(to: 1_000_000)
    }

    private func publish(_ count: Int, callers: Int) async throws -> Double {
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<callers {
                group.addTask {
                    for _ in 0..<count / callers {
                        try await transport.publish(
                            Message(to: .actor("fill"), id: "m", body: Self.body), timeout: nil)
                    }
                }
            }
            try await group.waitForAll()
        }
        return start.duration(to: .now) / .seconds(1)
    }

    /// From a publish to the delivery, where nothing else happens; and each sent on, with its acknowledgement, ten times.
    private func hops() async throws {
        let deliveries = await transport.deliveries(from: .actor("hop"), prefetch: 10)
        await transport.declare(.actor("hop"))
        var arrivals = deliveries.makeAsyncIterator()
        var times: [Double] = []
        var next = Message(to: .actor("hop"), id: "m", body: Self.body)
        try await transport.publish(next, timeout: nil)
        for _ in 0..<1000 {
            guard let delivery = await arrivals.next() else { return }
            let start = ContinuousClock.now
            next.body = delivery.body
            let results = await transport.publish([next], acknowledging: delivery, timeout: nil)
            for result in results { try result.get() }
            times.append(start.duration(to: .now) / .milliseconds(1))
        }
        times.sort()
        print(String(format: "a hop: median %.2f ms, 99 %% %.2f ms", times[500], times[990]))
    }

    private func fill(to count: Int) async throws {
        var there = 70_000
        while there < count {
            let messages = (0..<10_000).map { _ in Message(to: .actor("fill"), id: "m", body: Self.body) }
            for result in await transport.publish(messages, acknowledging: nil, timeout: nil) { try result.get() }
            there += messages.count
        }
        let size = (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0) >> 20
        print("\(there) waiting: \(residentMiB) MiB of memory, \(size) MiB of disk")
        let start = ContinuousClock.now
        var taken = 0
        for await delivery in await transport.deliveries(from: .actor("fill"), prefetch: 100) {
            await transport.settle(delivery, .acknowledge)
            taken += 1
            if taken == 2000 { break }
        }
        let time = start.duration(to: .now) / .seconds(1)
        print("taken and acknowledged one after the other: \(Int(Double(taken) / time)) messages/s; \(residentMiB) MiB")
    }

    private var residentMiB: Int {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
        return (pages.flatMap { Int($0[1]) } ?? 0) / 256
    }
}
