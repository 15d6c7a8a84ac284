internal import Envelopes
internal import EventLoops
internal import Logging

/// What a handler's runtime has written, among what the handler writes.
struct RuntimeLine: Hashable {
    var level: Logger.Level
    var text: String
    /// Of a start or an end, as each process has them.
    var isRoutine: Bool

    /// `nil` for a line of the handler's own.
    init?(_ line: String) {
        if line.hasPrefix("{") {
            guard let json = try? RawJSON(Array(line.utf8)), let message = json["message"]?.string,
                let level = json["level"]?.string.flatMap(Logger.Level.init(rawValue:)), json["time"] != nil
            else { return nil }
            let fields = json.members.filter { member in
                !["time", "level", "message", "actor"].contains { member.isNamed($0) }
            }
            let details = fields.map { "\($0.name ?? "")=\($0.value.string ?? $0.value.description)" }
            self.init(level, ([message] + details).joined(separator: " "), message)
        } else if let match = line.wholeMatch(
            of: /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([A-Z]+) troupe-runtime\[\d+\] (.*)/)
        {
            let level = Logger.Level(rawValue: match.1.lowercased()) ?? .info
            self.init(level, String(match.2), String(match.2))
        } else if let match = line.prefixMatch(of: #/troupe-(?:runtime|actor): /#) {
            self.init(.error, String(line[match.range.upperBound...]), "")
        } else {
            return nil
        }
    }

    private init(_ level: Logger.Level, _ text: String, _ message: String) {
        self.level = level
        self.text = text
        isRoutine = level <= .info && (message.hasPrefix("ready") || message == "stopped" || message == "stopping")
    }
}

extension LogLine {
    /// What a handler's process has written; `nil` for what its runtime says at each start and end.
    init?(_ source: String, wrote text: String, to stream: ChildProcess.Stream) {
        guard stream == .error, let line = RuntimeLine(text) else {
            self.init(source, stream == .output ? .output : .error, text)
            return
        }
        if line.isRoutine { return nil }
        self.init(source, .log, level: line.level, line.text)
    }
}
