import ArgumentParser
import Envelopes

/// `troupe submit`
struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Sends work along a route: one envelope, or one for each line of a file.",
        discussion: """
            Of one it writes the id, or with --wait the result. Lines are sent while
            they are read, in pieces, and no faster than the gateway takes them; with
            --route each is a payload, without it a whole submission, like
            {"route": {"actors": ["a"]}, "payload": 1} or {"tool": "t", "arguments": {}}.

              troupe submit --route split,summary --payload '{"text": "..."}' --wait
              troupe submit --route resize --payload cat.json --delay 5m --timeout 30s
              troupe submit --route caption --lines urls.jsonl --wait
              generate | troupe submit --lines - --idempotency-key import-2026-11
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions

    @Option(help: ArgumentHelp("The actors, in order, with commas.", valueName: "a,b,c"), completion: .actorNames)
    var route: String?

    @Option(
        help: ArgumentHelp("JSON, a file with JSON, or - for standard input.", valueName: "json|file|-"),
        completion: .file())
    var payload: String?

    @Option(
        help: ArgumentHelp("Many: a file of JSON Lines, or - for standard input.", valueName: "file|-"),
        completion: .file())
    var lines: String?

    @Option(help: "The envelope's own id.")
    var id: String?

    @OptionGroup var submission: SubmissionOptions
    @OptionGroup var wait: WaitOptions
    @OptionGroup var options: OutputOptions

    func validate() throws {
        try submission.check()
        try wait.check()
        if payload != nil && lines != nil {
            throw ValidationError("--payload is for one, --lines for many: give one of them")
        }
        if payload == nil && lines == nil { throw ValidationError("nothing to submit: give --payload or --lines") }
        if payload != nil && route == nil { throw ValidationError("--payload needs a --route to take") }
        if id != nil && lines != nil {
            throw ValidationError("--id is for one envelope; lines may have an 'id' of their own")
        }
        if try lines != nil && route == nil && !submission.members().isEmpty {
            throw ValidationError("without --route each line says for itself when it starts and what headers it has")
        }
        if let route, actors(route).contains(where: \.isEmpty) {
            throw ValidationError("--route '\(route)' must name actors, with commas between them")
        }
    }

    private func actors(_ route: String) -> [String] {
        route.split(separator: ",", omittingEmptySubsequences: false).map { String($0.trimming(while: \.isWhitespace)) }
    }

    func run() async throws {
        let template = try route.map { SubmissionTemplate(actors: actors($0), members: try submission.members()) }
        if let lines {
            let upload = BulkUpload(
                lines: try Input(lines), template: template, idempotencyKey: submission.idempotencyKey, wait: wait,
                options: options)
            return try await upload.run(gateway)
        }
        guard let template, let payload else { return }
        let idMember = id.map { [RawJSON.Member(name: "id", value: RawJSON(string: $0))] } ?? []
        let single = SingleSubmission(
            gateway: gateway, idempotencyKey: submission.idempotencyKey, wait: wait, options: options)
        try await single.run { _ in
            template.submission(try await PayloadInput.read(payload), adding: idMember)
        }
    }
}

/// What all submissions along a route have in common.
struct SubmissionTemplate: Sendable {
    let actors: [String]
    let members: [RawJSON.Member]

    func submission(_ payload: RawJSON, adding more: [RawJSON.Member] = []) -> RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.name("route")
            Route(actors: actors).write(to: &writer)
            writer.name("payload")
            writer.append(payload)
            for member in members + more { writer.append(member) }
            writer.endObject()
        }
    }
}

/// JSON on the command line, in a file, or on standard input.
enum PayloadInput {
    /// - Throws: `CommandFailure` with the place of the first mistake.
    static func read(_ text: String) async throws -> RawJSON {
        let limits = JSONLimits(size: .max, nesting: 4096)
        if text != "-", let json = try? RawJSON(Array(text.utf8), limits: limits) { return json }
        // What begins like JSON is meant to be it.
        if let first = text.first(where: { !$0.isWhitespace }), "{[\"".contains(first) {
            return try parse(Array(text.utf8), "the JSON on the command line", limits)
        }
        do {
            let input = try Input(text.hasPrefix("@") ? String(text.dropFirst()) : text)
            return try parse(try await input.all(), input.name, limits)
        } catch let failure as CommandFailure where failure.exit == .notFound && text != "-" {
            throw CommandFailure("'\(text)' is no JSON, and as a file \(failure)", .notFound)
        }
    }

    private static func parse(_ bytes: [UInt8], _ name: String, _ limits: JSONLimits) throws -> RawJSON {
        do throws(JSONError) { return try RawJSON(bytes, limits: limits) } catch {
            throw CommandFailure("\(name) is not valid JSON: \(error)", .badInput)
        }
    }
}

extension StringProtocol {
    func trimming(while isLeftOut: (Character) -> Bool) -> String {
        String(String(drop(while: isLeftOut).reversed().drop(while: isLeftOut).reversed()))
    }
}
