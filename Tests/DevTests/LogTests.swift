import Logging
import Testing

@testable import Dev

struct LogTests {
    /// What comes in pieces of any size gives the same lines.
    private func lines(_ bytes: [UInt8], piece: Int) -> [String] {
        var output = OutputLines()
        var lines: [String] = []
        for start in stride(from: 0, to: bytes.count, by: piece) {
            lines += output.append(bytes[start..<min(bytes.count, start + piece)])
        }
        return lines + (output.rest().map { [$0] } ?? [])
    }

    @Test(
        "whatever a handler writes becomes lines that are safe to show",
        arguments: [
            ("one\ntwo\r\n\nthree", ["one", "two", "", "three"]),
            ("  10%\r  50%\r 100%\ndone\n", [" 100%", "done"]),
            ("\u{1B}[31mred\u{1B}[0m \u{1B}]0;title\u{07}x\u{1B}]8;;http://x\u{1B}\\link\n", ["red xlink"]),
            ("a\tb\u{07}\u{85}c\u{0}\n", ["a    b  c "]),
            ("naïve 日本\n", ["naïve 日本"]), ("\u{1B}[", [""]), ("\u{1B}", [""]), ("", []),
        ])
    func output(text: String, expected: [String]) {
        for piece in [1, 2, 3, 1000] {
            #expect(lines(Array(text.utf8), piece: piece) == expected, "pieces of \(piece)")
        }
    }

    @Test func whatIsNoTextIsShownAsFarAsItIs() {
        #expect(lines([0x61, 0xFF, 0xFE, 0x62, 0x0A], piece: 1) == ["a\u{FFFD}\u{FFFD}b"])
    }

    @Test func aLineWithoutEndIsCutAndTakesNoMemory() {
        let bytes = [UInt8](repeating: 0x78, count: 100_000) + [0x0A, 0x79, 0x0A]
        let lines = lines(bytes, piece: 4096)
        #expect(lines.count == 2 && lines[1] == "y")
        #expect(lines[0] == String(repeating: "x", count: 8192) + "… (91808 bytes more)")
    }

    @Test(
        "a runtime's own lines are told in short",
        arguments: [
            (
                "2026-11-21 21:03:38,123 WARNING troupe-runtime[42] handler failed: envelope_id=e1",
                Logger.Level.warning, "handler failed: envelope_id=e1", false
            ),
            ("2026-11-21 21:03:38,123 INFO troupe-runtime[42] ready: handler=x", .info, "ready: handler=x", true),
            ("troupe-runtime: TROUPE_HANDLER is 'x'", .error, "TROUPE_HANDLER is 'x'", false),
            ("troupe-actor: no", .error, "no", false),
            (
                #"{"time":"t","level":"info","message":"stored","envelope_id":"e1","key":"a b","actor":"x"}"#, .info,
                "stored envelope_id=e1 key=a b", false
            ),
            (#"{"time":"t","level":"info","message":"stopped"}"#, .info, "stopped", true),
        ])
    func runtime(line: String, level: Logger.Level, text: String, isRoutine: Bool) {
        let read = RuntimeLine(line)
        #expect(read?.level == level && read?.text == text && read?.isRoutine == isRoutine)
    }

    @Test(arguments: ["", "Traceback (most recent call last):", "{", #"{"message":"x"}"#, "2026-11-21 21:03:38 INFO x"])
    func aHandlersOwnLinesStayAsTheyAre(line: String) { #expect(RuntimeLine(line) == nil) }

    // MARK: Crashes

    private func run(_ output: inout CrashOutput, _ texts: [String], crashes: Bool = true) -> [String] {
        output.begin()
        let shown = texts.flatMap { output.wrote(LogLine("a", .error, $0)) } + output.ended(crashed: crashes)
        return shown.map(\.text)
    }

    @Test func theSameCrashIsShownOnce() {
        var output = CrashOutput()
        let crash = ["Traceback", "ValueError at 0x7f00"]
        #expect(run(&output, crash) == crash)
        #expect(run(&output, crash) == [])
        #expect(run(&output, ["Traceback", "ValueError at 0x12ab"]) == [])
        #expect(run(&output, ["Traceback", "KeyError"]) == ["Traceback", "KeyError"])
        #expect(run(&output, crash) == crash)
        // What has ended well says what it has to say, whatever came before.
        #expect(run(&output, crash, crashes: false) == crash)
        #expect(run(&output, crash) == crash)
    }

    @Test func whatLivesAgainIsHeard() {
        var output = CrashOutput()
        _ = run(&output, ["x"])
        output.begin()
        #expect(output.wrote(LogLine("a", .error, "x")) == [])
        #expect(output.lived().map(\.text) == ["x"])
        #expect(output.wrote(LogLine("a", .error, "y")).map(\.text) == ["y"])
    }
}
