internal import Envelopes
internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import Settings
internal import Transports

/// What `troupe dlq` speaks to.
extension GatewayRouter {
    static let deadLetterLimits = 1...1000

    var deadLetterEndpoints: [Endpoint] {
        let list = Endpoint.Answer(status: .ok, text: "What was found, and done", schema: .named("DeadLetterList"))
        let body = Endpoint.Body(
            schema: .named("DeadLetterSelection"), example: #"{"actor":"resize","older_than":"1h"}"#)
        let errors: [ErrorCode] = [.invalidRequest]
        return [
            Endpoint(
                method: .get, path: "/dead-letters", name: "listDeadLetters", access: .scope(.operate),
                summary: "List dead letters",
                parameters: [
                    .init(
                        name: "actor", schema: .name,
                        text: "Whose; without it, everybody's"),
                    .init(name: "type", schema: .string, text: "A part of the reason"),
                    .init(name: "older_than", schema: Self.age, text: "A time span"),
                    .init(name: "newer_than", schema: Self.age, text: "A time span"),
                    .init(
                        name: "before", schema: .time,
                        text: "Leaves out what died then or later"),
                    .init(
                        name: "limit", schema: .integer(Self.deadLetterLimits, default: 100), text: "At most so many"),
                ], answers: [list], errors: errors, handler: listDeadLetters),
            Endpoint(
                method: .post, path: "/dead-letters/replay", name: "replayDeadLetters", access: .scope(.operate),
                summary: "Send dead letters on their way again", body: body, answers: [list], errors: errors,
                handler: replayDeadLetters),
            Endpoint(
                method: .post, path: "/dead-letters/purge", name: "purgeDeadLetters", access: .scope(.operate),
                summary: "Delete dead letters for good", body: body, answers: [list], errors: errors,
                handler: purgeDeadLetters),
            Endpoint(
                method: .get, path: "/dead-letters/{actor}/{id}", name: "getDeadLetter", access: .scope(.operate),
                summary: "One dead letter, with the message itself",
                answers: [.init(status: .ok, text: "The dead letter", schema: .named("DeadLetter"))],
                errors: [.unknownEnvelope], handler: showDeadLetter),
        ]
    }

    private static let age = Schema.named("TimeSpan")

    /// `GET /dead-letters?actor=&type=&older_than=&newer_than=&before=&limit=`
    func listDeadLetters(_ request: Request, _ context: Context) async throws -> Response {
        var members: [RawJSON.Member] = []
        for (name, value) in request.uri.queryParameters {
            let json = name == "limit" ? Int(value).map(RawJSON.init(integer:)) : nil
            members.append(RawJSON.Member(name: String(name), value: json ?? RawJSON(string: String(value))))
        }
        return try await Response(json: act(.list, on: DeadLetterSelection(members, limits: Self.deadLetterLimits)))
    }

    /// `POST /dead-letters/replay {actor?, ids?, type?, older_than?, newer_than?, before?, limit?, dry_run?}`
    func replayDeadLetters(_ request: Request, _ context: Context) async throws -> Response {
        let selection = try DeadLetterSelection(await reading.members(of: request), limits: Self.deadLetterLimits)
        return try await Response(json: act(selection.isDryRun ? .list : .replay, on: selection))
    }

    /// `POST /dead-letters/purge`, with the same members.
    func purgeDeadLetters(_ request: Request, _ context: Context) async throws -> Response {
        let selection = try DeadLetterSelection(await reading.members(of: request), limits: Self.deadLetterLimits)
        return try await Response(json: act(selection.isDryRun ? .list : .purge, on: selection))
    }

    /// `GET /dead-letters/{actor}/{id}`: with the message itself.
    func showDeadLetter(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        guard let actor = context.parameters.get("actor") else { throw Problem(.notFound, "no actor in the path") }
        let outcome = try await desk.go(through: actor, DeadLetterFilter(ids: [id]), limit: 1, .show)
        guard let entry = outcome?.entries.first else {
            throw Problem(.unknownEnvelope, "there is no dead letter '\(id)' of actor '\(actor)'")
        }
        return Response { entry.write(to: &$0, actor: actor) }
    }

    /// Does the same with all that are meant, and tells of each.
    func act(_ act: DeadLetterDesk.Act, on selection: DeadLetterSelection) async throws -> RawJSON {
        var entries: [(actor: String, entry: DeadLetterDesk.Entry)] = []
        var isMore = false
        let actors = selection.actors.isEmpty ? try await store.actorsWithDeadLetters() : selection.actors
        for actor in actors {
            let limit = selection.limit - entries.count
            guard limit > 0 else {
                isMore = true
                break
            }
            guard let outcome = try await desk.go(through: actor, selection.filter, limit: limit, act) else {
                continue
            }
            entries += outcome.entries.map { (actor, $0) }
            isMore = isMore || outcome.isMore
        }
        let failed = entries.count { $0.entry.error != nil }
        return RawJSON { writer in
            writer.beginObject()
            writer.name("dead_letters")
            writer.beginArray()
            for (actor, entry) in entries { entry.write(to: &writer, actor: actor) }
            writer.endArray()
            writer.member("done", number: act == .list ? 0 : Double(entries.count - failed))
            writer.member("failed", number: Double(failed))
            writer.name("more")
            writer.append(isMore)
            writer.endObject()
        }
    }
}

/// Which dead letters a request means, and how many of them at most.
struct DeadLetterSelection {
    var actors: [String] = []
    var filter = DeadLetterFilter()
    var limit = 100
    var isDryRun = false

    init(_ members: [RawJSON.Member], limits: ClosedRange<Int>) throws(Problem) {
        let known = ["actor", "ids", "type", "older_than", "newer_than", "before", "limit", "dry_run"]
        for member in members where !known.contains(where: member.isNamed) {
            // What is misspelt must not select everything.
            throw Problem(
                .invalidRequest, "'\(member.name ?? "")' is none of: \(known.joined(separator: ", "))",
                at: "/\(member.name ?? "")")
        }
        if let actor = try members.string("actor") {
            guard !actor.isEmpty else { throw Problem(.invalidRequest, "'actor' must not be empty", at: "/actor") }
            actors = [actor]
        }
        if let ids = members["ids"], ids.kind != .null {
            let texts = ids.elements.compactMap(\.string)
            guard ids.kind == .array, texts.count == ids.elements.count, !texts.isEmpty else {
                throw Problem(.invalidRequest, "'ids' must be a list of at least one string", at: "/ids")
            }
            filter.ids = Set(texts)
        }
        filter.type = try members.string("type")
        filter.olderThan = try Self.age("older_than", members)
        filter.newerThan = try Self.age("newer_than", members)
        if let text = try members.string("before") {
            guard let time = Timestamp.microseconds(parsing: text) else {
                throw Problem(
                    .invalidRequest, "'before' must be ISO 8601 with a time zone, like 2026-01-02T03:04:05Z",
                    at: "/before")
            }
            filter.before = Double(time) / 1e6
        }
        if let limit = members["limit"], limit.kind != .null {
            guard let number = limit.integer, limits.contains(number) else {
                throw Problem(
                    .invalidRequest, "'limit' must be a whole number from \(limits.lowerBound) to \(limits.upperBound)",
                    at: "/limit")
            }
            self.limit = number
        }
        if let flag = members["dry_run"], flag.kind != .null {
            guard let isDryRun = flag.boolean else {
                throw Problem(.invalidRequest, "'dry_run' must be true or false", at: "/dry_run")
            }
            self.isDryRun = isDryRun
        }
    }

    private static func age(_ name: String, _ members: [RawJSON.Member]) throws(Problem) -> Double? {
        guard let text = try members.string(name) else { return nil }
        guard let duration = Duration(text: text) else {
            throw Problem(.invalidRequest, "'\(name)' must be a time span like 30s, 5m, 1h", at: "/\(name)")
        }
        return Double(duration.components.seconds)
    }
}

extension DeadLetterDesk.Entry {
    func write(to writer: inout JSONWriter, actor: String) {
        writer.beginObject()
        writer.member("actor", actor)
        writer.member("id", id)
        writer.member("reason", deadLetter.reason)
        writer.member("time", time: deadLetter.time.map { Int64($0) * 1_000_000 })
        writer.member("size", number: Double(size))
        writer.member("error", error)
        if let body {
            if let json = try? RawJSON(body, limits: .ofBroker) {
                writer.name("message")
                writer.append(json)
            } else {
                writer.member("message_base64", Data(body).base64EncodedString())
            }
        }
        writer.endObject()
    }
}
