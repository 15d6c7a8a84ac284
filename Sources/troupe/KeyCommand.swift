import ArgumentParser
import Gateways

/// `troupe key`
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "API keys of a gateway.",
        discussion: """
              troupe key new --name ci --scopes submit,read >> keys.yaml
            """, subcommands: [NewKey.self])
}

struct NewKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Makes a key, and the entry of it for TROUPE_API_KEYS_FILE.",
        discussion: """
            The entry goes to standard output. The key itself goes to standard
            error, and nowhere else: it is shown this once.

              troupe key new --name ci --scopes submit,read >> keys.yaml
            """)

    @Option(help: "What logs call its holder: A-Z a-z 0-9 . _ : -")
    var name: String

    @Option(help: "What it allows, with commas: \(APIKey.scopes.joined(separator: ", ")).")
    var scopes: String

    func run() async throws {
        let key = APIKey.random()
        do throws(FileErrors) {
            let entry = try key.entry(name: name, scopes: scopes.split(separator: ",").map(String.init))
            Output.note(key.text)
            Output.line(entry)
        } catch { throw ValidationError(error.messages.joined(separator: "\n")) }
    }
}
