import Envelopes
import EventLoops
import HTTPClient

/// Follows envelopes until they have ended, and shows it.
actor EnvelopeWatch {
    /// Where it is shown, and how.
    enum Display: Sendable {
        case nowhere
        case screen(LiveScreen)
        /// A line for each event.
        case lines(Terminal)
        /// The event's JSON on standard output.
        case json

        /// The best that a stream can show.
        static func on(_ terminal: Terminal) -> Display {
            terminal.isLive ? .screen(LiveScreen(terminal)) : .lines(terminal)
        }
    }

    private let client: GatewayClient
    private let ids: [String]
    private let withChildren: Bool
    private var display: Display
    private var board: WatchBoard
    private var above: [StyledLine] = []
    /// Until somebody answers there is nothing to show.
    private var isConnected = false

    private static let frame = Duration.milliseconds(100)

    init(_ client: GatewayClient, _ ids: [String], withChildren: Bool, display: Display) {
        self.client = client
        self.ids = ids
        self.withChildren = withChildren
        self.display = display
        board = WatchBoard(ids)
    }

    /// Returns what has become of them when all have ended.
    /// - Parameter limit: `nil` for as long as it takes.
    /// - Throws: `GatewayError`, `CommandFailure` when the limit is over, `CancellationError`.
    func run(limit: Duration?) async throws -> WatchBoard {
        let drawing = Task { try await draw() }
        defer { drawing.cancel() }
        do {
            try await TimeLimit.run(limit, followAll)
        } catch {
            show()
            throw error is TimeLimit.Over ? overdue(limit) : error
        }
        show()
        return board
    }

    private func overdue(_ limit: Duration?) -> CommandFailure {
        let open = board.roots.filter { !$0.status.isFinal }.map(\.id)
        return CommandFailure(
            "not ended within \(limit?.inWords ?? ""); it goes on. Go on watching: troupe watch \(open.joined(separator: " "))",
            .tryAgain)
    }

    private func followAll() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for id in Set(ids) {
                let feed = EventFeed(
                    client: client,
                    path: "/envelopes/\(id.percentEncoded())/stream\(withChildren ? "?children=true" : "")")
                group.addTask { try await feed.run { await self.handle($0, of: id) } }
            }
            try await group.waitForAll()
        }
    }

    private func handle(_ occurrence: EventFeed.Occurrence, of id: String) -> EventFeed.Progress {
        switch occurrence {
        case .connected:
            isConnected = true
            board.setTrouble(nil, of: id)
        case .event(let event):
            guard let read = EnvelopeEvent(event), board.take(read, of: id) else { return .goOn }
            tell(read, event.data)
        // The gateway stops, or knows of an end that it hasn't told: what is told again is no news.
        case .closed: return board.hasEnded(id) ? .finished : .startOver
        case .broken(let error, let pause):
            guard let error else { break }
            let trouble = error.isAway ? "no connection to the gateway" : error.description
            board.setTrouble("\(trouble); again in \(pause.inWords)", of: id)
            if case .lines = display { Output.note("troupe: \(trouble); again in \(pause.inWords)".printable) }
        }
        return .goOn
    }

    private func tell(_ event: EnvelopeEvent, _ json: String) {
        switch display {
        case .nowhere: break
        case .json: Output.line(json)
        case .lines(let terminal):
            let text = WatchLines.line(event).text(color: terminal.hasColor)
            Output.write(Array((text + "\n").utf8), to: terminal.descriptor)
        case .screen: if let line = WatchLines.said(event) { above.append(line) }
        }
    }

    /// A few times a second, as times go on, windows change, and many events come at once.
    private func draw() async throws {
        guard case .screen = display else { return }
        while true {
            show()
            try await Task.sleep(for: Self.frame)
        }
    }

    private func show() {
        guard case .screen(var screen) = display, isConnected else { return }
        let lines = WatchScreen(size: screen.size, now: Timestamp.microsecondsNow()).lines(board)
        screen.draw(lines, above: above)
        above = []
        display = .screen(screen)
    }
}
