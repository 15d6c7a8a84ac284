import Envelopes
import EventLoops
import HTTPClient

/// Submits a line after the other, no faster than the gateway takes them, and waits for their ends where that is wanted.
///
/// Each piece has an idempotency key of its own: it is sent until the gateway has dealt with all of it, and doubles nothing.
actor BulkUpload {
    private let lines: Input
    private let template: SubmissionTemplate?
    private let key: String
    /// Pieces are the same each time, whenever the input comes.
    private let isRepeatable: Bool
    private let wait: WaitOptions
    private let options: OutputOptions
    private var ledger: BulkLedger
    private var reconnection = Reconnection()
    private var trouble: String?
    private var told = 0
    private var above: [StyledLine] = []
    private var screen: LiveScreen?
    private let notes: Terminal

    /// How many single lines and envelopes are told of.
    private static let toldLimit = 20

    init(
        lines: Input, template: SubmissionTemplate?, idempotencyKey: String?, wait: WaitOptions,
        options: OutputOptions
    ) {
        self.lines = lines
        self.template = template
        key = idempotencyKey ?? RandomKey.text()
        isRepeatable = idempotencyKey != nil
        self.wait = wait
        self.options = options
        ledger = BulkLedger(isWaiting: wait.isWaiting, inputSize: lines.size)
        notes = .error(options.color)
        screen = notes.isLive ? LiveScreen(notes) : nil
    }

    nonisolated func run(_ gateway: GatewayOptions) async throws {
        try await Interruption.guarding {
            try await self.work(try gateway.client())
        } farewell: {
            await self.farewell
        }
    }

    private var farewell: String {
        guard !ledger.isComplete else { return "stopped waiting (\(ledger.summary)); they go on" }
        return """
            stopped in the middle: \(ledger.summary). Going on doubles nothing where the same input is sent again with
              --idempotency-key \(key)
            """
    }

    private func work(_ client: GatewayClient) async throws {
        let drawing = Task { try await draw() }
        defer { drawing.cancel() }
        do {
            if wait.isWaiting { try await sendAndWait(client) } else { try await sendAll(client) }
        } catch {
            show(isLast: true)
            throw error
        }
        show(isLast: true)
        if options.isJSON { Output.note(ledger.summary) } else { Output.line(ledger.summary) }
        if ledger.exit != .ok { throw ledger.exit.code }
    }

    // MARK: Sending

    private func sendAll(_ client: GatewayClient) async throws {
        var chunker = LineChunker(template)
        while true {
            try Task.checkCancellation()
            switch try await lines.next() {
            case .bytes(let piece):
                chunker.append(piece)
                while let output = chunker.next() { try await take(output, client) }
            // Who writes slowly doesn't want to wait for a full piece.
            case .pause where !isRepeatable:
                if let output = chunker.flush() { try await take(output, client) }
            case .pause: break
            case .end:
                if let output = chunker.finish() { try await take(output, client) }
                if let output = chunker.flush() { try await take(output, client) }
                return ledger.completed()
            }
        }
    }

    private func take(_ output: LineChunker.Output, _ client: GatewayClient) async throws {
        switch output {
        case .refusal(let refusal):
            ledger.leftOut()
            refuse(line: refusal.line, refusal.reason, RawJSON(string: refusal.reason))
        case .chunk(let chunk):
            ledger.sending(chunk.numbers.count)
            let answer = try await send(chunk, client)
            for (place, json, line) in answer.lines where chunk.numbers.indices.contains(place - 1) {
                let number = chunk.numbers[place - 1]
                switch line {
                case .accepted(let id):
                    let end = ledger.accepted(id)
                    if options.isJSON { write(json, line: number) }
                    if let end { self.end(id, end, nil) }
                case .refused(let reason):
                    ledger.refused()
                    refuse(line: number, reason, json["error"] ?? .null)
                }
            }
            ledger.answered(inputEnd: chunk.inputEnd)
        }
    }

    /// Sends it until all of it is dealt with.
    private func send(_ chunk: LineChunk, _ client: GatewayClient) async throws -> BulkAnswer {
        let headers: HTTPHeaders = [
            "Content-Type": "application/x-ndjson", "Idempotency-Key": "\(key)@\(chunk.firstLine)",
        ]
        while true {
            let pause: Duration
            do throws(GatewayError) {
                let answer = BulkAnswer(
                    try await client.exchange(.post, "/envelopes/bulk", headers: headers, body: chunk.body))
                reconnection.connected()
                if answer.isComplete {
                    reconnection.progressed()
                    trouble = nil
                    return answer
                }
                pause = reconnection.endedEarly()
                trouble = "\(answer.trouble ?? "the answer ended early"); again in \(pause.inWords)"
            } catch {
                try Task.checkCancellation()
                guard case .wait(let duration) = reconnection.failed(error) else { throw error }
                pause = duration
                trouble = "\(error.isAway ? "no connection to the gateway" : "\(error)"); again in \(pause.inWords)"
            }
            try await Task.sleep(for: pause)
        }
    }

    // MARK: Waiting

    private static let ends: [EnvelopeStatus] = [.succeeded, .failed, .cancelled]
    /// Between looks for ends that no stream has told.
    private static let lookInterval = Duration.seconds(5)
    private static let lookLimit = 100

    private func sendAndWait(_ client: GatewayClient) async throws {
        let limit = try wait.limit.duration
        let (opened, opening) = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for status in Self.ends {
                let feed = EventFeed(client: client, path: "/stream?status=\(status.rawValue)")
                group.addTask {
                    try await feed.run { occurrence in
                        if case .connected = occurrence { opening.yield() }
                        await self.take(occurrence)
                        return .goOn
                    }
                }
            }
            group.addTask {
                // Before anything is sent: no end is missed.
                var count = 0
                for await _ in opened where !Task.isCancelled {
                    count += 1
                    if count == Self.ends.count { break }
                }
                try await self.sendAll(client)
                do {
                    try await TimeLimit.run(limit) { try await self.awaitEnds(client) }
                } catch is TimeLimit.Over {
                    throw CommandFailure(
                        "not all ended within \(limit?.inWords ?? ""): \(await self.ledger.summary)", .tryAgain)
                }
            }
            defer { group.cancelAll() }
            // The streams have no end: it is the work that has, or something that failed.
            try await group.next()
        }
    }

    private func take(_ occurrence: EventFeed.Occurrence) {
        guard case .event(let event) = occurrence, let read = EnvelopeEvent(event),
            case .update(let update) = read.content, update.status.isFinal
        else { return }
        end(read.envelopeID, update.status, update.error)
    }

    private func awaitEnds(_ client: GatewayClient) async throws {
        while !ledger.isDone {
            let before = ledger.ended
            try await pauseUntilDone()
            if !ledger.isDone, ledger.ended == before { try await look(client) }
        }
    }

    private func pauseUntilDone() async throws {
        let end = MonotonicTime.now.advanced(by: Self.lookInterval)
        while !ledger.isDone, MonotonicTime.now < end { try await Task.sleep(for: .milliseconds(50)) }
    }

    /// An envelope that was accepted before this upload began may have ended before it, too.
    private func look(_ client: GatewayClient) async throws {
        for id in ledger.open.prefix(Self.lookLimit) {
            do throws(GatewayError) {
                let envelope = try await client.send(.get, "/envelopes/\(id.percentEncoded())")
                let status = envelope["status"]?.string.flatMap(EnvelopeStatus.init)
                if let status, status.isFinal { end(id, status, envelope["error"]?.string) }
            } catch {
                if error.exit == .notFound { end(id, .unknown, "it is not there any more") }
                guard error.isTransient || error.exit == .notFound else { throw error }
            }
        }
    }

    private func end(_ id: String, _ status: EnvelopeStatus, _ error: String?) {
        guard ledger.ended(id, status) else { return }
        if options.isJSON {
            Output.line(
                RawJSON(object: [
                    .init(name: "id", value: RawJSON(string: id)),
                    .init(name: "status", value: RawJSON(string: status.rawValue)),
                ]).description)
        } else if status != .succeeded {
            tell("envelope \(id) has \(status.rawValue)\(error.map { ": \($0)" } ?? "")", status.style)
        }
    }

    // MARK: Telling

    private func refuse(line: Int, _ reason: String, _ error: RawJSON) {
        if options.isJSON { write(RawJSON(object: [.init(name: "error", value: error)]), line: line) }
        tell("line \(line): \(reason)", .red)
    }

    private func write(_ json: RawJSON, line: Int) {
        let rest = json.members.filter { !$0.isNamed("line") }
        Output.line(RawJSON(object: [.init(name: "line", value: RawJSON(integer: line))] + rest).description)
    }

    private func tell(_ text: String, _ style: StyledLine.Style) {
        told += 1
        guard told <= Self.toldLimit else { return }
        let text = told == Self.toldLimit ? text + " (and more)" : text
        if screen == nil { Output.note("troupe: \(text)".printable) } else { above.append(StyledLine(text, style)) }
    }

    private func draw() async throws {
        while true {
            show(isLast: false)
            try await Task.sleep(for: screen == nil ? .seconds(10) : .milliseconds(100))
        }
    }

    /// At last nothing of it stays: the sum is said for good.
    private func show(isLast: Bool) {
        if let columns = screen?.size.columns {
            screen?.draw(isLast ? [] : ledger.lines(trouble: trouble, columns: columns), above: above)
            above = []
        } else if !isLast, ledger.read > 0 {
            let percent = ledger.fraction.map { "\(Int($0 * 100))%, " } ?? ""
            Output.note("troupe: \(percent)\(ledger.summary)\(trouble.map { "; \($0)" } ?? "")".printable)
        }
    }
}
