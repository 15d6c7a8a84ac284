import Foundation
import Testing

/// Thousands of runs in which everything goes wrong that can, each from its seed.
///
/// `TROUPE_TEST_SEED=7` plays that run alone and prints its steps; `TROUPE_TEST_SEEDS=100000` plays so many.
struct SimulationTests {
    static let environment = ProcessInfo.processInfo.environment
    static let only = environment["TROUPE_TEST_SEED"].flatMap(UInt64.init)
    static let count = environment["TROUPE_TEST_SEEDS"].flatMap(UInt64.init) ?? 2000

    @Test(.enabled(if: only == nil))
    func everyEnvelopeEndsAsItShouldWhateverGoesWrong() async {
        let began = ContinuousClock.now
        let sum = await play(1...Self.count)
        print(
            "\(Self.count) runs in \(ContinuousClock.now - began), \(sum.deliveries) deliveries.",
            "Faults: \(inWords(sum.strikes)). Ends: \(inWords(sum.endings)).")
        // What never happens proves nothing.
        for fault in Fault.allCases { #expect(sum.strikes[fault, default: 0] > Self.count / 100, "\(fault)") }
        for ending in Self.endings { #expect(sum.endings[ending, default: 0] > Self.count / 1000, "\(ending)") }
    }

    static let endings = [
        "succeeded", "cancelled", "deadline_exceeded", "Fatal", "Partial", "runtime_error", "timeout", "unroutable",
        "route_mismatch", "msg_parsing_error", "happy-end could not close the envelope", "no end",
    ]

    @Test(.enabled(if: only == nil))
    func withoutFaultsToo() async {
        let sum = await play(1...200, isCalm: true)
        #expect(sum.strikes.isEmpty && sum.endings["succeeded", default: 0] > 200)
    }

    @Test func aSeedGivesTheSameRunEachTime() {
        for seed in 1...20 as ClosedRange<UInt64> {
            let first = Simulation.run(seed: seed, isTraced: true)
            #expect(!first.trace.isEmpty && first.trace == Simulation.run(seed: seed, isTraced: true).trace)
        }
    }

    @Test(.enabled("with TROUPE_TEST_SEED", { only != nil }))
    func oneRunStepByStep() throws {
        let outcome = Simulation.run(seed: try #require(Self.only), isTraced: true)
        print(outcome.trace.joined(separator: "\n"))
        for violation in outcome.violations { Issue.record("\(violation)") }
    }

    // MARK: Many runs

    private struct Sum: Sendable {
        var deliveries = 0
        var strikes: [Fault: Int] = [:]
        var endings: [String: Int] = [:]
        var failed: [UInt64] = []

        mutating func add(_ other: Sum) {
            deliveries += other.deliveries
            strikes.merge(other.strikes, uniquingKeysWith: +)
            endings.merge(other.endings, uniquingKeysWith: +)
            failed += other.failed
        }
    }

    /// Plays the seeds on all cores. Of those that fail, the first few are told in full.
    private func play(_ seeds: ClosedRange<UInt64>, isCalm: Bool = false) async -> Sum {
        let workers = UInt64(ProcessInfo.processInfo.activeProcessorCount)
        let sum = await withTaskGroup(of: Sum.self) { group in
            for worker in 0..<workers {
                group.addTask {
                    var sum = Sum()
                    for seed in stride(from: seeds.lowerBound + worker, through: seeds.upperBound, by: Int(workers)) {
                        let outcome = Simulation.run(seed: seed, isCalm: isCalm)
                        sum.add(
                            Sum(
                                deliveries: outcome.deliveries, strikes: outcome.strikes, endings: outcome.endings,
                                failed: outcome.violations.isEmpty ? [] : [seed]))
                    }
                    return sum
                }
            }
            return await group.reduce(into: Sum()) { $0.add($1) }
        }
        for seed in sum.failed.sorted().prefix(3) { report(seed, isCalm: isCalm, of: sum.failed.count) }
        return sum
    }

    private func inWords<Key>(_ counts: [Key: Int]) -> String {
        counts.map { "\($0) \($1)" }.sorted().joined(separator: ", ")
    }

    private func report(_ seed: UInt64, isCalm: Bool, of failed: Int) {
        let outcome = Simulation.run(seed: seed, isCalm: isCalm, isTraced: true)
        Issue.record(
            """
            Seed \(seed), one of \(failed) that fail (again: TROUPE_TEST_SEED=\(seed) swift test --filter SimulationTests):
            \(outcome.violations.joined(separator: "\n"))
            Its last steps:
            \(outcome.trace.suffix(60).joined(separator: "\n"))
            """)
    }
}
