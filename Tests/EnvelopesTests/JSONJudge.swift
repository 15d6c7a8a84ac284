import Foundation

/// Somebody else's opinion on what is JSON: Python's parser, held to RFC 8259 (UTF-8 only, no NaN, no Infinity).
enum JSONJudge {
    /// - Returns: for each text whether it is one JSON value.
    static func accepts(_ texts: [[UInt8]]) throws -> [Bool] {
        let script = """
            import base64, json, sys
            def refuse(name): raise ValueError(name)
            def verdict(line):
                try: json.loads(base64.b64decode(line).decode("utf-8", "strict"), parse_constant=refuse, parse_int=str)
                except (ValueError, RecursionError): return "n"
                return "y"
            sys.stdout.write("".join(verdict(line) for line in sys.stdin))
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        // The script reads everything before it writes: the pipes cannot block each other.
        let lines = texts.map { Data($0).base64EncodedString() + "\n" }.joined()
        try input.fileHandleForWriting.write(contentsOf: Data(lines.utf8))
        try input.fileHandleForWriting.close()
        let verdicts = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0, verdicts.count == texts.count else { throw NoVerdict() }
        return verdicts.map { $0 == UInt8(ascii: "y") }
    }

    struct NoVerdict: Error {}
}
