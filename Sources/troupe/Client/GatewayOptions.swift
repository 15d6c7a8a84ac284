import ArgumentParser
import Glibc
import Settings

/// How a command finds its gateway.
struct GatewayOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The gateway's URL. Default: TROUPE_GATEWAY_URL, or http://127.0.0.1:8080.", valueName: "url"))
    var gateway: String?

    @Option(
        help: ArgumentHelp(
            "An API key or a token. Other people of this machine can see it; TROUPE_API_KEY they can't.",
            valueName: "key"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "A PEM file of the authorities to trust instead of the system's, for https.", valueName: "file"),
        completion: .file(extensions: ["pem", "crt"]))
    var ca: String?

    /// - Throws: `CommandFailure` for a key's file that can't be read.
    func client() throws -> GatewayClient {
        // Writing to a connection or pipe that has gone is an error of that call, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        var settings = Settings.ofProcess()
        let url = gateway ?? settings.text("GATEWAY_URL", default: "http://127.0.0.1:8080")
        let key = key ?? settings.secret("API_KEY", orFile: "API_KEY_FILE")
        if let problem = settings.problems.first { throw CommandFailure(problem.description, .wrongSettings) }
        return GatewayClient(url: url.hasSuffix("/") ? String(url.dropLast()) : url, key: key, authorities: ca)
    }
}
