import Envelopes
import EventLoops
import HTTPClient

/// Submits one envelope; waits for it where that is wanted.
struct SingleSubmission: Sendable {
    let gateway: GatewayOptions
    let idempotencyKey: String?
    let wait: WaitOptions
    let options: OutputOptions

    /// - Parameter body: makes what is sent.
    func run(_ body: @escaping @Sendable (GatewayClient) async throws -> RawJSON) async throws {
        let limit = try wait.limit.duration
        let accepted = Accepted()
        try await Interruption.guarding {
            let client = try gateway.client()
            let answer = try await submit(try await body(client), to: client)
            guard let id = answer["id"]?.string else { throw GatewayError(fault: "the gateway's answer has no id") }
            await accepted.set(id)
            guard wait.isWaiting else {
                Output.line(options.isJSON ? answer.description : id.printable)
                return
            }
            try await waitForEnd(of: id, at: client, limit: limit)
        } farewell: {
            guard let id = await accepted.id else { return "stopped; nothing is known to be submitted" }
            return "stopped waiting; it goes on. Go on watching: troupe watch \(id)"
        }
    }

    private actor Accepted {
        var id: String?
        func set(_ id: String) { self.id = id }
    }

    /// Asks until the gateway has taken it. With its key it is taken once, however often we ask.
    private func submit(_ body: RawJSON, to client: GatewayClient) async throws -> RawJSON {
        let key = idempotencyKey ?? RandomKey.text()
        var reconnection = Reconnection()
        while true {
            do throws(GatewayError) {
                return try await client.send(.post, "/envelopes", body, idempotencyKey: key)
            } catch {
                try Task.checkCancellation()
                guard case .wait(let pause) = reconnection.failed(error) else { throw error }
                Output.note("troupe: \(error); again in \(pause.inWords)".printable)
                try await Task.sleep(for: pause)
            }
        }
    }

    private func waitForEnd(of id: String, at client: GatewayClient, limit: Duration?) async throws {
        let display: EnvelopeWatch.Display = wait.watch ? .on(.error(options.color)) : .nowhere
        let watch = EnvelopeWatch(client, [id], withChildren: wait.watch, display: display)
        let board = try await watch.run(limit: limit)
        try await EnvelopeEnd(client: client, id: id, exit: board.exit).write(options)
    }
}

/// What is left of an envelope that has ended: its result, or why there is none.
struct EnvelopeEnd: Sendable {
    let client: GatewayClient
    let id: String
    /// How it has ended, and what came out of it.
    let exit: CommandExit

    /// - Throws: the exit code of an end that is none to be glad of.
    func write(_ options: OutputOptions) async throws {
        let path = "/envelopes/\(id.percentEncoded())"
        let envelope = try await client.send(.get, path)
        let hasSucceeded = envelope["status"]?.string == EnvelopeStatus.succeeded.rawValue
        if options.isJSON {
            Output.line(envelope.description)
        } else if hasSucceeded {
            Output.bytes(Array((envelope["result"] ?? .null).bytes) + [UInt8(ascii: "\n")])
        } else {
            let status = envelope["status"]?.string ?? ""
            let error = envelope["error"]?.string ?? envelope["message"]?.string ?? ""
            Output.note("troupe: envelope \(id) has \(status): \(error)".printable)
        }
        if exit != .ok { throw exit.code }
    }
}
