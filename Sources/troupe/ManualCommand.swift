import ArgumentParser
import Envelopes

/// `troupe man`
struct ManualCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "man",
        abstract: "Writes the manual page.",
        discussion: """
              troupe man | man -l -
              troupe man > /usr/local/share/man/man1/troupe.1
            """,
        shouldDisplay: false)

    func run() throws {
        let help = try RawJSON(Array(Troupe._dumpHelp().utf8))
        Output.bytes(ManualPage(help).text.utf8)
    }
}

/// The manual page in roff (man(7)), made of what the parser knows of the commands. Pure.
struct ManualPage {
    private let root: RawJSON
    /// Options that many commands have in common are told once.
    private var common: [RawJSON] = []

    private static let many = 5

    /// - Parameter help: as `--experimental-dump-help` writes it.
    init(_ help: RawJSON) {
        root = help["command"] ?? .emptyObject
        let all = visible(root["subcommands"]).flatMap { options(of: $0) }
        for option in all where !common.contains(option) {
            if all.count(where: { $0 == option }) > Self.many { common.append(option) }
        }
    }

    var text: String {
        let lines =
            [
                #".TH TROUPE 1 "" "Troupe" "User Commands""#, ".SH NAME",
                "troupe \\- \(escaped(root["abstract"]?.string ?? ""))", ".SH SYNOPSIS", ".B troupe",
                ".I command", "[options]", ".SH COMMANDS",
            ] + visible(root["subcommands"]).flatMap { command($0, "troupe") }
            + [".SH COMMON OPTIONS"] + common.flatMap(paragraph) + exits + environment
        return lines.joined(separator: "\n") + "\n"
    }

    private func command(_ command: RawJSON, _ parent: String) -> [String] {
        let name = "\(parent) \(command["commandName"]?.string ?? "")"
        let positional = visible(command["arguments"]).filter { $0["kind"]?.string == "positional" }.map { argument in
            let repeats = argument["isRepeating"]?.boolean == true ? "..." : ""
            let name = "<\(argument["valueName"]?.string ?? "")>\(repeats)"
            return argument["isOptional"]?.boolean == true ? "[\(name)]" : name
        }
        var lines = [
            ".SS \"\(escaped(([name] + positional).joined(separator: " ")))\"",
            escaped(command["abstract"]?.string ?? ""),
        ]
        lines += options(of: command).filter { !common.contains($0) }.flatMap(paragraph)
        if let discussion = command["discussion"]?.string {
            lines += [".PP", ".nf"] + discussion.split(separator: "\n", omittingEmptySubsequences: false).map(escaped)
            lines.append(".fi")
        }
        return lines + visible(command["subcommands"]).flatMap { self.command($0, name) }
    }

    private func options(of command: RawJSON) -> [RawJSON] {
        visible(command["arguments"]).filter { $0["kind"]?.string != "positional" && $0["valueName"]?.string != "help" }
    }

    private func paragraph(_ option: RawJSON) -> [String] {
        let values = option["allValues"]?.elements.compactMap(\.string) ?? []
        let notes =
            (values.isEmpty ? [] : ["one of: \(values.joined(separator: ", "))"])
            + (option["defaultValue"]?.string.map { ["default: \($0)"] } ?? [])
        let note = notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))"
        return [".TP", ".B \(escaped(heading(option)))", escaped((option["abstract"]?.string ?? "") + note)]
    }

    private func heading(_ argument: RawJSON) -> String {
        let names = (argument["names"]?.elements ?? []).compactMap { name in
            name["name"]?.string.map { (name["kind"]?.string == "short" ? "-" : "--") + $0 }
        }
        let value = argument["kind"]?.string == "option" ? " <\(argument["valueName"]?.string ?? "")>" : ""
        return names.joined(separator: ", ") + value
    }

    private var exits: [String] {
        [".SH EXIT STATUS"] + CommandExit.allCases.flatMap { [".TP", ".B \($0.rawValue)", escaped($0.meaning)] }
    }

    private var environment: [String] {
        [".SH ENVIRONMENT"]
            + [
                ("TROUPE_GATEWAY_URL", "The gateway; http://127.0.0.1:8080 without it."),
                ("TROUPE_API_KEY", "What to show it: an API key or a token."),
                ("TROUPE_API_KEY_FILE", "A file that holds it."),
                ("NO_COLOR", "Set to anything, there are no colors."),
            ].flatMap { [".TP", ".B \($0)", escaped($1)] }
    }

    private func visible(_ list: RawJSON?) -> [RawJSON] {
        (list?.elements ?? []).filter {
            $0["shouldDisplay"]?.boolean != false && $0["commandName"]?.string != "help"
        }
    }

    /// What would be a request or an escape to roff is text.
    private func escaped(_ text: some StringProtocol) -> String {
        let plain = String(text).replacing("\\", with: "\\e").replacing("-", with: "\\-").replacing("\"", with: "\\(dq")
        return plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&" + plain : plain
    }
}
