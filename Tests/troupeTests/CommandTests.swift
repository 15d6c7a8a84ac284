import ArgumentParser
import Envelopes
import Foundation
import Testing

@testable import troupe

@Suite("All commands")
struct CommandTests {
    private static let top = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func help() throws -> RawJSON { try RawJSON(Array(Troupe._dumpHelp().utf8)) }

    private func commands(_ command: RawJSON, _ path: [String] = []) -> [(path: [String], json: RawJSON)] {
        (command["subcommands"]?.elements ?? []).flatMap { child -> [(path: [String], json: RawJSON)] in
            guard let name = child["commandName"]?.string, name != "help" else { return [] }
            return [(path + [name], child)] + commands(child, path + [name])
        }
    }

    @Test("each says what it does, and so does each of its options")
    func abstracts() throws {
        let all = commands(try #require(try help()["command"]))
        #expect(all.count > 15)
        for (path, json) in all {
            #expect(json["abstract"]?.string?.hasSuffix(".") == true, "\(path)")
            for argument in json["arguments"]?.elements ?? [] {
                #expect(
                    argument["abstract"]?.string?.isEmpty == false,
                    "\(path) \(argument["valueName"]?.description ?? "")")
            }
        }
    }

    @Test("docs/cli.md names every command, and every exit code with what it means")
    func documented() throws {
        let page = try String(contentsOf: Self.top.appending(path: "docs/cli.md"), encoding: .utf8)
        for (path, json) in commands(try #require(try help()["command"])) where json["shouldDisplay"]?.boolean != false
        {
            let name = "troupe " + path.joined(separator: " ")
            #expect(page.contains(name) || path.last == "list", "\(name) is not in docs/cli.md")
        }
        for exit in CommandExit.allCases { #expect(page.contains("| \(exit.rawValue) | \(exit.meaning) |"), "\(exit)") }
        let codes = page.matches(of: /^\| (\d+) \|/.anchorsMatchLineEndings()).count
        #expect(codes == CommandExit.allCases.count)
    }

    @Test("the manual page has every command and option, and is text to roff")
    func manual() throws {
        let page = ManualPage(try help()).text
        for (path, json) in commands(try #require(try help()["command"])) where json["shouldDisplay"]?.boolean != false
        {
            #expect(page.contains(".SS \"troupe " + path.joined(separator: " ").replacing("-", with: "\\-")), "\(path)")
            for name in (json["arguments"]?.elements ?? []).flatMap({ $0["names"]?.elements ?? [] }).compactMap({
                $0["name"]?.string
            })
            where name != "help" && name != "h" {
                #expect(page.contains(name.replacing("-", with: "\\-")), "\(path) \(name)")
            }
        }
        let requests: Set = ["TH", "SH", "SS", "TP", "PP", "B", "I", "nf", "fi"]
        for line in page.split(separator: "\n") where line.hasPrefix(".") || line.hasPrefix("'") {
            #expect(requests.contains(String(line.dropFirst().prefix { $0.isLetter })), "\(line)")
        }
    }

    @Test("completions for every shell are generated", arguments: ["bash", "zsh", "fish"])
    func completions(shell: String) throws {
        let script = Troupe.completionScript(for: try #require(CompletionShell(rawValue: shell)))
        for command in ["watch", "submit", "retry", "dlq"] { #expect(script.contains(command)) }
        #expect(!script.contains("man "))
    }
}
