import ArgumentParser
import Envelopes
import EventLoops
import Settings

/// What every submission may say, beside what is to be done.
struct SubmissionOptions: ParsableArguments {
    @Option(help: ArgumentHelp("A time span before it starts, like 5m, or the time, in ISO 8601.", valueName: "when"))
    var delay: String?

    @Option(help: ArgumentHelp("It must end so long after its start: 30s, 5m, ...", valueName: "duration"))
    var timeout: String?

    @Option(help: ArgumentHelp("It must end by then: a time span from now, or a time in ISO 8601.", valueName: "when"))
    var deadline: String?

    @Option(
        help: ArgumentHelp(
            "A header that travels with it; JSON, or text. Repeatable.", valueName: "name=value"))
    var header: [String] = []

    @Option(
        help: ArgumentHelp("Submitted again with the same key within a day, it is the same envelope.", valueName: "key")
    )
    var idempotencyKey: String?

    /// Checked, as members of a submission.
    /// - Throws: `ValidationError`.
    func members() throws -> [RawJSON.Member] {
        var members: [RawJSON.Member] = []
        if let delay {
            if let duration = Duration(text: delay) {
                members.append(.init(name: "delay_ms", value: RawJSON(integer: Int(duration.inSeconds * 1000))))
            } else {
                let time = try Moment.text(option: "--delay", delay, sign: 1)
                members.append(.init(name: "not_before", value: RawJSON(string: time)))
            }
        }
        if let timeout {
            _ = try Duration(option: "--timeout", timeout)
            members.append(.init(name: "timeout", value: RawJSON(string: timeout)))
        }
        if let deadline {
            let time = try Moment.text(option: "--deadline", deadline, sign: 1)
            members.append(.init(name: "deadline", value: RawJSON(string: time)))
        }
        if !header.isEmpty { members.append(.init(name: "headers", value: RawJSON(object: try headers()))) }
        return members
    }

    private func headers() throws -> [RawJSON.Member] {
        try header.map { text in
            guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
                throw ValidationError("--header '\(text)' has no '=': name=value is expected")
            }
            return .init(
                name: String(text[..<equals]), value: RawJSON(loose: String(text[text.index(after: equals)...])))
        }
    }

    /// - Throws: `ValidationError`.
    func check() throws {
        _ = try members()
        guard let key = idempotencyKey else { return }
        guard (1...150).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ValidationError("--idempotency-key must have 1 to 150 visible characters of ASCII")
        }
    }
}

/// Whether a command waits for what it has submitted.
struct WaitOptions: ParsableArguments {
    @Flag(help: "Wait for the end, and write the result.")
    var wait = false

    @Flag(help: "The same, and show on the way what happens.")
    var watch = false

    @OptionGroup var limit: WaitLimitOption

    var isWaiting: Bool { wait || watch }

    func check() throws {
        if try limit.duration != nil, !isWaiting {
            throw ValidationError("--wait-limit says how long to wait: it needs --wait or --watch")
        }
    }
}

/// A name that nobody else takes.
enum RandomKey {
    static func text() -> String {
        var generator = SystemRandomNumberGenerator()
        return "cli-" + String(generator.next(), radix: 36) + String(generator.next(), radix: 36)
    }
}
