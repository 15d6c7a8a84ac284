import Dev
import EventLoops
import Gateways
import Projects

/// What a pipeline says of itself when it is there.
struct Welcome {
    let project: Project
    let ready: Pipeline.Ready
    let time: Duration

    var lines: [StyledLine] {
        var lines = [StyledLine()]
        var title = StyledLine("  \(project.folder.split(separator: "/").last ?? "troupe")", .bold)
        title.append("  \(contents), ready in \(time.inWords)", .dim)
        lines += [title, StyledLine()]
        lines.append(row("gateway", ready.url, "MCP: \(ready.url)/mcp"))
        for name in project.tools.names {
            lines.append(row("tool", name, (project.tools.routes[name] ?? []).joined(separator: " -> ")))
        }
        lines.append(row("kept in", ready.backend, "results: \(ready.results)"))
        lines += [row("try", tryOut), StyledLine()]
        return lines
    }

    private var contents: String {
        [("actor", project.actors.count), ("tool", project.tools.names.count), ("route", project.routes.count)]
            .filter { $0.1 > 0 }.map { "\($0.1) \($0.0)\($0.1 == 1 ? "" : "s")" }.joined(separator: ", ")
    }

    private var tryOut: String {
        // What commands take when nothing is said.
        let gateway = ready.url == "http://127.0.0.1:8080" ? "" : " --gateway \(ready.url)"
        if let tool = project.tools.names.first {
            let arguments = project.tools.examples(of: tool).map { " --arg \($0.name)=\($0.value.quoted)" }.joined()
            return "troupe call \(tool)\(arguments) --watch\(gateway)"
        }
        let route = project.routes.values.first ?? project.actors.prefix(1).map(\.name)
        return "echo '{}' | troupe submit --route \(route.joined(separator: ",")) --payload - --watch\(gateway)"
    }

    private func row(_ label: String, _ text: String, _ more: String = "") -> StyledLine {
        var line = StyledLine("  " + label.padded(toColumns: 10), .dim)
        line.append(text, label == "try" ? .green : .plain)
        if !more.isEmpty { line.append("  " + more, .dim) }
        return line
    }
}

extension String {
    /// For a shell.
    fileprivate var quoted: String {
        let isPlain = !isEmpty && allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-/:,".contains($0)) }
        return isPlain
            ? self : "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }
}
