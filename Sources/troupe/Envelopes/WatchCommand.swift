import ArgumentParser

/// `troupe watch`
struct WatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Shows live what becomes of envelopes, and of all that comes out of them.",
        discussion: """
            On a terminal a bar for each; into a pipe a line for each event. It goes
            on where it was after the gateway was away, and ends when they do:
            with 0 when all succeeded, 1 when one failed, 2 when one was cancelled.

              troupe watch 0190c7a4-...
              troupe watch 0190c7a4-... --wait-limit 5m || echo "not done"
              troupe watch 0190c7a4-... --output json | jq .message
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions
    @OptionGroup var limit: WaitLimitOption
    @Argument(help: "The envelopes' ids.", completion: .envelopeIDs) var ids: [String]

    func validate() throws {
        try EnvelopeIDs.check(ids)
        if ids.count > 50 { throw ValidationError("at most 50 at a time; there are \(ids.count)") }
    }

    func run() async throws {
        let limit = try limit.duration
        try await Interruption.guarding {
            let display: EnvelopeWatch.Display = options.isJSON ? .json : .on(.output(options.color))
            let watch = EnvelopeWatch(try gateway.client(), ids, withChildren: true, display: display)
            let board = try await watch.run(limit: limit)
            if board.exit != .ok { throw board.exit.code }
        } farewell: {
            "stopped watching; it goes on. Go on watching: troupe watch \(ids.joined(separator: " "))"
        }
    }
}

/// How long a command waits.
struct WaitLimitOption: ParsableArguments {
    @Option(help: ArgumentHelp("Stop waiting after this time, with code 75: 30s, 5m, ...", valueName: "duration"))
    var waitLimit: String?

    var duration: Duration? {
        get throws { try waitLimit.map { try Duration(option: "--wait-limit", $0) } }
    }
}
