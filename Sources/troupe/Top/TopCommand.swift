import ArgumentParser

/// `troupe top`
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Shows live how actors are, and which envelopes are longest under way.",
        discussion: """
            On a terminal it is drawn again each second; q ends it, and a letter
            sorts: a actor, r ready, i in flight, c consumers, d dead letters,
            m rate, f failed, o oldest; the same again turns it round. Into a pipe
            it writes a table each time.

              troupe top
              troupe top --sort failed --envelopes 20
              troupe top --once --output json | jq .totals
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions

    @Option(help: "By what actors are sorted.") var sort = TopOrder.ready
    @Option(help: ArgumentHelp("How often to look: 100ms or more.", valueName: "duration")) var interval = "1s"
    @Option(help: "How many envelopes to show, 0 to 100.") var envelopes = 10
    @Flag(help: "Look once, and end.") var once = false

    func validate() throws {
        guard (0...100).contains(envelopes) else { throw ValidationError("--envelopes must be from 0 to 100") }
        _ = try pause
    }

    private var pause: Duration {
        get throws {
            let pause = try Duration(option: "--interval", interval)
            guard pause >= .milliseconds(100) else { throw ValidationError("--interval must be 100ms or more") }
            return pause
        }
    }

    func run() async throws {
        let terminal = Terminal.output(options.color)
        let display: TopView.Display =
            if options.isJSON { .json } else if terminal.isLive && !once { .screen(LiveScreen(terminal)) } else {
                .tables(terminal)
            }
        let view = TopView(
            try gateway.client(), TopBoard(order: sort), display: display, interval: try pause, envelopeLimit: envelopes
        )
        if once { return try await view.showOnce() }
        try await Interruption.guarding {
            try await view.run()
        } farewell: {
            "stopped looking; all goes on"
        }
    }
}
