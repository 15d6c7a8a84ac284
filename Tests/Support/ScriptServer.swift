import Foundation

/// A server that is a Python script: it prints what to know about it (ports, files) on one line, and ends when its
/// standard input does, which is at the latest when this process ends.
public final class ScriptServer: Sendable {
    /// The words of that line.
    public let words: [String]

    private let process = Process()

    public init(_ script: URL?, _ arguments: String...) throws {
        guard let script else { throw DidNotStart(output: "no such script") }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", script.path] + arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = Pipe()
        try process.run()
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            let piece = output.fileHandleForReading.availableData
            guard !piece.isEmpty else { throw DidNotStart(output: String(decoding: line, as: UTF8.self)) }
            line += piece
        }
        words = String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
    }

    public struct DidNotStart: Error { let output: String }
}
