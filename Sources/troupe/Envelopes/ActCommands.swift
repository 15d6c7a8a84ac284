import ArgumentParser
import Envelopes
import HTTPClient

/// `troupe cancel`
struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Cancels envelopes, and all that has come out of them.",
        discussion: """
              troupe cancel 0190c7a4-...
              troupe list --actor summary --output json | jq -r '.envelopes[].id' | xargs troupe cancel
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions
    @Argument(help: "The envelopes' ids.", completion: .envelopeIDs) var ids: [String]

    func validate() throws { try EnvelopeIDs.check(ids) }

    func run() async throws {
        try await EnvelopeAct(client: gateway.client(), name: "cancel", done: "is cancelled", options: options).run(ids)
    }
}

/// `troupe retry`
struct RetryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Sends envelopes on their way again that have failed or were cancelled.",
        discussion: """
            They go to the actor where they failed, with what that got, or from the
            start; ids and histories stay.

              troupe retry 0190c7a4-...
              troupe retry 0190c7a4-... --from-start && troupe watch 0190c7a4-...
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions
    @Flag(help: "As they were submitted.") var fromStart = false
    @Argument(help: "The envelopes' ids.", completion: .envelopeIDs) var ids: [String]

    func validate() throws { try EnvelopeIDs.check(ids) }

    func run() async throws {
        let from = RawJSON(object: [.init(name: "from", value: RawJSON(string: fromStart ? "start" : "failed_step"))])
        try await EnvelopeAct(
            client: gateway.client(), name: "retry", done: "is on its way again", options: options, body: from
        ).run(ids)
    }
}

/// Does the same with each of several envelopes; what fails with one keeps none of the others from it.
struct EnvelopeAct: Sendable {
    let client: GatewayClient
    /// In the path.
    let name: String
    /// What has become of those it went well with.
    let done: String
    let options: OutputOptions
    var body: RawJSON?

    /// - Throws: the exit code of the first that failed.
    func run(_ ids: [String]) async throws {
        var worst: CommandExit?
        for id in ids {
            do throws(GatewayError) {
                let envelope = try await client.send(.post, "/envelopes/\(id.percentEncoded())/\(name)", body)
                Output.line(options.isJSON ? envelope.description : "\(id) \(done)".printable)
            } catch {
                // Who isn't let in, or finds nobody, needn't try the others.
                if error.isAway || error.exit == .notAllowed { throw error }
                Output.note("troupe: \(error)".printable)
                worst = worst ?? error.exit
            }
        }
        if let worst { throw worst.code }
    }
}
