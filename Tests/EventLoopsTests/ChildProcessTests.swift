import EventLoops
import Foundation
import TestSupport
import Testing

struct ChildProcessTests {
    /// What a shell script writes, and how it ends.
    private func run(
        _ script: String, environment: [String: String] = [:], folder: String? = nil,
        during: @escaping @Sendable (Int32) -> Void = { _ in }
    ) async throws -> (output: String, error: String, ending: ChildProcess.Ending) {
        let loop = EventLoop(name: "test")
        defer { loop.stop() }
        let command = ChildProcess.Command(
            "/bin/sh", ["-c", script], environment: environment, folder: folder)
        return try await within {
            await Task(executorPreference: loop) {
                await withCheckedContinuation { continuation in
                    let texts = Texts()
                    let process = ChildProcess.start(command, on: loop) { stream, bytes in
                        texts.append(bytes, stream)
                    } onEnd: { ending in
                        continuation.resume(returning: (texts.output, texts.error, ending))
                    }
                    if let process { during(process.pid) }
                }
            }.value
        }
    }

    private final class Texts {
        var output = ""
        var error = ""

        func append(_ bytes: ArraySlice<UInt8>, _ stream: ChildProcess.Stream) {
            let text = String(decoding: bytes, as: UTF8.self)
            if stream == .output { output += text } else { error += text }
        }
    }

    @Test func whatItWritesAndHowItEndsAreEvents() async throws {
        let result = try await run(
            "echo out; echo $NAME >&2; pwd; env | wc -l; cat; exit 7", environment: ["NAME": "x"], folder: "/usr")
        // The shell adds PWD and such itself.
        #expect(result.output.hasPrefix("out\n/usr\n") && result.error == "x\n" && result.ending == .exit(7))
        #expect(try await run("kill -9 $$").ending == .signal(9))
    }

    @Test func theLastWordsComeBeforeTheEnd() async throws {
        let result = try await run("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done")
        #expect(result.output.hasSuffix("19998\n19999\n") && result.ending == .exit(0))
    }

    @Test func whatItHasStartedEndsWithIt() async throws {
        let result = try await run("sleep 600 & echo $!")
        let grandchild = try #require(Int32(result.output.trimmingCharacters(in: .whitespacesAndNewlines)))
        try await eventually("the grandchild is gone") {
            let status = try? String(contentsOfFile: "/proc/\(grandchild)/stat", encoding: .utf8)
            return status == nil || status?.contains(") Z ") == true
        }
    }

    @Test func aProgramThatIsNotThereHasExitCode127() async throws {
        let loop = EventLoop(name: "test")
        let ending = try await within {
            await Task(executorPreference: loop) {
                await withCheckedContinuation { continuation in
                    _ = ChildProcess.start(.init("/nowhere/program", environment: [:]), on: loop) {
                        continuation.resume(returning: $0)
                    }
                }
            }.value
        }
        #expect(ending == .exit(127))
        loop.stop()
    }
}
