import Envelopes
import EventLoops
import Testing

@testable import Sidecars

struct RetryPolicyTests {
    /// `(((a{1,99}){1,99}){1,99})` takes seconds and a gigabyte to compile.
    @Test func patternsFromOutsideCannotCount() throws {
        let header = try RawJSON(
            Array(#"{"retry_on":["Value.*","(((a{1,99}){1,99}){1,99})","(a)\\1",7],"final_on":["b{2}"]}"#.utf8))
        let policy = RetryPolicy(retried: ["x"], final: ["y"]).overridden(by: header)
        #expect(policy.retried == ["Value.*"] && policy.final == [])
    }

    func delay(_ policy: RetryPolicy, _ attempt: Int, _ error: String = "ValueError", _ random: Double = 0.5)
        -> Duration?
    {
        policy.delay(after: attempt, error: [error, "processing_error"], random: random)
    }

    @Test func waitsGrowUpToTheCeiling() {
        let policy = RetryPolicy(
            attempts: 6, initialDelay: .seconds(1), factor: 10, ceiling: .seconds(500), hasJitter: false)
        #expect((1...7).map { delay(policy, $0) } == [1, 10, 100, 500, 500, nil, nil].map { $0.map { .seconds($0) } })
    }

    @Test func jitterDrawsFromTheWholeStepButNeverNothing() {
        let policy = RetryPolicy(attempts: 2, initialDelay: .seconds(8))
        #expect(delay(policy, 1, "E", 0.25) == .seconds(2))
        #expect(delay(policy, 1, "E", 0) == .milliseconds(50))
    }

    @Test(
        arguments: [
            ([], [], true), (["ValueError"], [], true), (["Value"], [], false), ([".*Error"], [], true),
            (["processing_.*"], [], true), (["TimeoutError"], [], false), ([], ["ValueError"], false),
            ([".*Error"], ["Value.*"], false), ([], ["TypeError"], true),
        ] as [([String], [String], Bool)])
    func patternsNameWholeTypesOrCodes(retried: [String], final: [String], isRetried: Bool) {
        let policy = RetryPolicy(attempts: 2, retried: retried, final: final)
        #expect((delay(policy, 1) != nil) == isRetried)
    }

    @Test func patternsAreChecked() {
        #expect(RetryPolicy.isPattern("ValueError|[A-Z]+Timeout"))
        #expect(!RetryPolicy.isPattern("("))
        #expect(!RetryPolicy.isPattern("[z-a]"))
    }

    @Test func hugeFactorsDoNotOverflow() {
        let policy = RetryPolicy(attempts: 1000, initialDelay: .seconds(2_592_000), factor: 100, hasJitter: false)
        #expect(delay(policy, 999) == .seconds(300))
    }
}
