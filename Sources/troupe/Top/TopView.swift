import Envelopes
import EventLoops
import HTTPClient

/// Looks at a gateway again and again, and shows what it sees.
actor TopView {
    /// Where it is shown, and how.
    enum Display: Sendable {
        case screen(LiveScreen)
        /// A table each time.
        case tables(Terminal)
        /// An object each time, on a line.
        case json
    }

    private let client: GatewayClient
    private let interval: Duration
    private let envelopeLimit: Int
    private var display: Display
    private var board: TopBoard

    init(
        _ client: GatewayClient, _ board: TopBoard, display: Display, interval: Duration, envelopeLimit: Int
    ) {
        self.client = client
        self.board = board
        self.display = display
        self.interval = interval
        self.envelopeLimit = envelopeLimit
    }

    /// - Throws: `GatewayError`.
    func showOnce() async throws {
        board.take(try await look())
        show()
    }

    /// Returns when somebody has pressed `q`.
    /// - Throws: `GatewayError` when there is no hope, `CancellationError`.
    func run() async throws {
        defer { Keyboard.giveBack() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.goOnLooking() }
            if case .screen = display, let keyboard = Keyboard() {
                group.addTask { try await self.obey(keyboard) }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func obey(_ keyboard: Keyboard) async throws {
        for await key in keyboard.keys {
            switch board.pressed(key) {
            case .quit: return
            case .draw: show()
            case .nothing: break
            }
        }
        // No more keys; Ctrl-C still ends it.
        while true { try await Task.sleep(for: .seconds(3600)) }
    }

    private func goOnLooking() async throws {
        var reconnection = Reconnection()
        while true {
            var pause = interval
            do throws(GatewayError) {
                board.take(try await look())
                reconnection.connected()
                reconnection.progressed()
                show()
            } catch {
                try Task.checkCancellation()
                guard case .wait(let wait) = reconnection.failed(error) else { throw error }
                pause = max(wait, interval)
                board.trouble =
                    "\(error.isAway ? "no connection to the gateway" : error.description); again in \(pause.inWords)"
                tellTrouble()
            }
            try await Task.sleep(for: pause)
        }
    }

    // MARK: Looking

    private static let patience = Duration.seconds(20)

    private func look() async throws(GatewayError) -> TopBoard.Look {
        let actors = try await get("/actors")
        var envelopes: [RawJSON] = []
        if envelopeLimit > 0 {
            // Those to be started later are pending, too: only some of these may be shown.
            for (status, limit) in [("running", envelopeLimit), ("retrying", envelopeLimit), ("pending", 100)] {
                let page = try await get("/envelopes?status=\(status)&order=asc&limit=\(limit)")
                envelopes += page["envelopes"]?.elements ?? []
            }
        }
        return TopBoard.Look(actors: actors, envelopes: envelopes, time: Timestamp.microsecondsNow())
    }

    private func get(_ path: String) async throws(GatewayError) -> RawJSON {
        try await client.send(.get, path, timeout: Self.patience)
    }

    // MARK: Showing

    private func show() {
        switch display {
        case .json: Output.line(board.json(envelopeLimit).description)
        case .tables(let terminal):
            let screen = TopScreen(
                columns: terminal.columns, rows: nil, address: client.url, envelopeLimit: envelopeLimit)
            let lines = screen.lines(board) + [StyledLine()]
            Output.write(
                Array(lines.map { $0.text(color: terminal.hasColor) + "\n" }.joined().utf8), to: terminal.descriptor)
        case .screen(var screen):
            let size = screen.size
            // As much as a live region takes.
            let room = TopScreen(
                columns: max(1, size.columns - 1), rows: max(1, size.rows - 1), address: client.url,
                envelopeLimit: envelopeLimit)
            screen.draw(room.lines(board))
            display = .screen(screen)
        }
    }

    private func tellTrouble() {
        if case .screen = display { show() } else { Output.note("troupe: \((board.trouble ?? "").printable)") }
    }
}
