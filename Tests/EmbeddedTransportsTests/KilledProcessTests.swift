import Foundation
import GRDB
import SQLite
import TestSupport
import Testing
import TransportConformance
import Transports

@testable import EmbeddedTransports

/// SIGKILL at any moment: what was promised holds.
@Suite(.timeLimit(.minutes(4)))
struct KilledProcessTests {
    private let folder = TemporaryFolder()
    private var path: String { OpenBroker.path(in: folder) }

    init() throws {
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    }

    /// Runs the program, kills it, and gives back all that it has said.
    private func runAndKill(_ arguments: String...) async throws -> [(word: String, number: Int)] {
        let path = path
        let text = try await onThread {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
                .deletingLastPathComponent().appendingPathComponent("embedded-crash")
            process.arguments = [arguments[0], path] + arguments.dropFirst()
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            var text = output.fileHandleForReading.availableData
            let end = Date().addingTimeInterval(.random(in: 0.05..<0.6))
            DispatchQueue.global().asyncAfter(deadline: .now() + end.timeIntervalSinceNow) {
                kill(process.processIdentifier, SIGKILL)
            }
            text += output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationReason == .uncaughtSignal, "\(String(decoding: text, as: UTF8.self).suffix(500))")
            return String(decoding: text, as: UTF8.self)
        }
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2, let number = Int(words[1]) else { return nil }
            return (String(words[0]), number)
        }
    }

    private func bodies(of actor: String, _ file: SQLiteFile) async throws -> [String] {
        try await file.read {
            try String.fetchAll(
                $0,
                sql: """
                    SELECT CAST(body AS TEXT) FROM broker_messages JOIN broker_queues ON broker_queues.id = queue
                    WHERE name = ? ORDER BY place
                    """, arguments: ["actor.\(actor)"])
        }
    }

    @Test func whatWasConfirmedIsThereAndWhatWasAcknowledgedIsNot() async throws {
        var (published, settling, settled): (Set<Int>, Set<Int>, Set<Int>) = ([], [], [])
        var deliveries: [Int: Int] = [:]
        for round in 0..<20 {
            for (word, number) in try await runAndKill("traffic", "\(round * 1_000_000)") {
                switch word {
                case "published": published.insert(number)
                case "delivered":
                    deliveries[number, default: 0] += 1
                    #expect(!settled.contains(number), "\(number) was acknowledged, and came again")
                case "settles": settling.insert(number)
                case "settled": settled.insert(number)
                default: Issue.record("\(word)?")
                }
            }
        }
        let file = try SQLiteFile(path: path)
        let there = try await bodies(of: "a", file).compactMap { Int($0) }
        await file.close()
        #expect(Set(there).count == there.count, "nothing is there twice")
        #expect(published.subtracting(settling).subtracting(there).isEmpty, "what was confirmed is there")
        #expect(settled.intersection(there).isEmpty, "what was acknowledged is not")
        // Or else this has tested nothing.
        #expect(published.count > 200 && settled.count > 100 && deliveries.values.max() ?? 0 > 5)

        // Each delivery was counted before it was made.
        let open = try await OpenBroker(in: folder, deliveryLimit: 1_000_000)
        let arrivals = Arrivals(await open.client().deliveries(from: .actor("a"), prefetch: 65535))
        try await eventually("all have come") { arrivals.all.count == there.count }
        for delivery in arrivals.all {
            let number = Int(String(decoding: delivery.body, as: UTF8.self)) ?? -1
            #expect(delivery.priorDeliveries >= deliveries[number] ?? 0)
            #expect(delivery.isRedelivered || deliveries[number] == nil)
        }
    }

    @Test func nothingOfAFanOutIsThereOrAllOfIt() async throws {
        let count = 5000
        let open = try await OpenBroker(in: folder)
        let client = open.client()
        await client.declare(.actor("in"))
        let inputs = (0..<count).map { Message("\($0)", to: "in") }
        _ = await client.publish(inputs, acknowledging: nil, timeout: .seconds(20))
        await open.close()

        var hopped: Set<Int> = []
        for _ in 0..<20 {
            for (word, number) in try await runAndKill("hops") where word == "hopped" {
                #expect(hopped.insert(number).inserted, "\(number) hopped twice")
            }
        }
        let file = try SQLiteFile(path: path)
        let waiting = Set(try await bodies(of: "in", file).compactMap { Int($0) })
        var children: [Int: Int] = [:]
        for body in try await bodies(of: "out", file) {
            children[Int(body.prefix { $0 != " " }) ?? -1, default: 0] += 1
        }
        await file.close()
        #expect(children.values.allSatisfy { $0 == 1000 })
        // Exactly once: who has children is gone, who is there has none.
        #expect(Set(children.keys).isDisjoint(with: waiting))
        #expect(children.count + waiting.count == count)
        #expect(hopped.isSubset(of: children.keys) && hopped.count > 20)
    }
}
