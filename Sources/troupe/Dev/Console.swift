import Dev
import Dispatch
import Envelopes
import Glibc
import Logging
import Synchronization

/// Shows what goes on in a pipeline, a line each. Never makes its callers wait: a terminal that stands still loses lines.
final class Console: Sendable {
    struct Form: Sendable {
        var isJSON = false
        /// Problems only.
        var isQuiet = false
    }

    private let terminal: Terminal
    private let form: Form
    private let palette: SourcePalette
    private let queue = DispatchQueue(label: "console")
    private let waiting = Mutex(Waiting())

    private struct Waiting {
        var bytes: [UInt8] = []
        var isWriting = false
        var lost = 0
    }

    /// Bytes that wait for the terminal.
    private static let limit = 8 << 20

    /// - Parameter sources: whose lines are expected, for columns and colors.
    init(_ terminal: Terminal, _ form: Form, sources: [String]) {
        self.terminal = terminal
        self.form = form
        palette = SourcePalette(sources)
    }

    func show(_ line: LogLine) {
        if form.isQuiet && !line.isProblem { return }
        write(form.isJSON ? line.json(at: Timestamp.now()) : palette.line(line).text(color: terminal.hasColor))
    }

    /// Not a line of the pipeline's, but one about it.
    func say(_ lines: [StyledLine]) {
        if form.isQuiet || form.isJSON { return }
        for line in lines { write(line.text(color: terminal.hasColor)) }
    }

    /// Returns when all is written.
    func flush() { queue.sync {} }

    private func write(_ line: String) {
        let mustStart = waiting.withLock { waiting in
            guard waiting.bytes.count < Self.limit else {
                waiting.lost += 1
                return false
            }
            if waiting.lost > 0 {
                waiting.bytes += "… \(waiting.lost) lines were lost: they came faster than they could be shown\n".utf8
                waiting.lost = 0
            }
            waiting.bytes += line.utf8
            waiting.bytes.append(UInt8(ascii: "\n"))
            defer { waiting.isWriting = true }
            return !waiting.isWriting
        }
        if mustStart { queue.async { self.drain() } }
    }

    private func drain() {
        while true {
            let bytes = waiting.withLock { waiting in
                defer { waiting.bytes = [] }
                waiting.isWriting = !waiting.bytes.isEmpty
                return waiting.bytes
            }
            if bytes.isEmpty { return }
            Output.write(bytes, to: terminal.descriptor)
        }
    }
}

/// The mark before each line: who it is from, in a color of its own.
struct SourcePalette: Sendable {
    private let width: Int
    private let styles: [String: StyledLine.Style]

    private static let colors: [StyledLine.Style] = [.cyan, .green, .magenta, .blue, .yellow]

    init(_ sources: [String]) {
        width = min(24, sources.map(\.columns).max() ?? 0)
        styles = Dictionary(
            zip(sources, sources.indices.map { Self.colors[$0 % Self.colors.count] }),
            uniquingKeysWith: { first, _ in first })
    }

    func line(_ line: LogLine) -> StyledLine {
        // Replicas share their actor's color.
        let owner = line.source.split(separator: "/").first.map(String.init) ?? line.source
        var styled = StyledLine("\(line.source.padded(toColumns: width)) │ ", styles[owner] ?? .dim)
        switch line.level {
        case .critical?, .error?: styled.append("error: ", .red)
        case .warning?: styled.append("warning: ", .yellow)
        default: break
        }
        styled.append(line.text, (line.level.map { $0 <= .notice } ?? false) ? .dim : .plain)
        return styled
    }
}

extension LogLine {
    /// `{"time", "actor", "stream", "level", "text"}`, without a level for what handlers write.
    func json(at time: String) -> String {
        RawJSON { writer in
            writer.beginObject()
            let members =
                [("time", time), ("actor", source), ("stream", stream.rawValue)]
                + (level.map { [("level", $0.rawValue)] } ?? []) + [("text", text)]
            for (name, value) in members {
                writer.name(name)
                writer.append(string: value)
            }
            writer.endObject()
        }.description
    }
}
