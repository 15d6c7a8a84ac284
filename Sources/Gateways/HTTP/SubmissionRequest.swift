internal import Envelopes
internal import Settings

/// What somebody wants to be sent on its way: from `POST /envelopes` or from a tool call.
struct SubmissionRequest: Sendable {
    var id: String?
    var route: Route
    var headers = Headers()
    var payload: RawJSON
    /// Top-level members that travel on.
    var unknown: [RawJSON.Member] = []
    var timeoutSeconds: Double?
    var deadline: String?
    /// Of the HTTP request.
    var traceParent: TraceParent?

    private static let routeLimit = 1000
    private static let timeoutLimit = 10.0 * 366 * 86_400

    /// Reads the body of `POST /envelopes`.
    init(_ members: [RawJSON.Member]) throws(Problem) {
        for name in ["id", "route", "headers", "payload", "timeout", "deadline"]
        where members.count(where: { $0.isNamed(name) }) > 1 {
            throw Problem(.invalidRequest, "'\(name)' stands twice", at: "/\(name)")
        }
        guard let route = members["route"] else { throw Problem(.invalidRoute, "'route' is missing", at: "/route") }
        do throws(EnvelopeError) {
            self.route = try Route(route)
        } catch { throw Problem(.invalidRoute, error.message, at: "/route") }
        guard let payload = members["payload"] else {
            throw Problem(.invalidRequest, "'payload' is missing", at: "/payload")
        }
        self.payload = payload
        id = try members.string("id")
        do throws(EnvelopeError) {
            headers = try Headers(members["headers"] ?? .null)
        } catch { throw Problem(.invalidRequest, "'headers' must be an object", at: "/headers") }
        deadline = try members.string("deadline")
        timeoutSeconds = try Self.timeout(members["timeout"])
        unknown = members.filter { member in
            !["id", "parent_id", "route", "headers", "payload", "timeout", "deadline"].contains { member.isNamed($0) }
        }
    }

    init(route: [String], payload: RawJSON, timeoutSeconds: Double?) {
        self.route = Route(actors: route)
        self.payload = payload
        self.timeoutSeconds = timeoutSeconds
    }

    private static func timeout(_ json: RawJSON?) throws(Problem) -> Double? {
        guard let json, json.kind != .null else { return nil }
        let seconds =
            json.double
            ?? json.string.flatMap { Duration(text: $0) }.map {
                Double($0.components.seconds) + Double($0.components.attoseconds) * 1e-18
            }
        guard let seconds, seconds > 0, seconds <= timeoutLimit else {
            throw Problem(
                .invalidRequest, "'timeout' must be a number of seconds or a time span like \"5m\", above 0",
                at: "/timeout")
        }
        return seconds
    }

    /// Checks it, and completes it with an id, a trace and a deadline.
    func submission() throws(Problem) -> Submission {
        try checkRoute()
        if let id, !EnvelopeID.isAcceptable(id) {
            throw Problem(.invalidID, "'id' must have 1 to 200 characters of A-Z a-z 0-9 . _ : -", at: "/id")
        }
        let id = id ?? EnvelopeID.random()
        var headers = headers
        if headers.traceparent == nil {
            headers["traceparent"] = RawJSON(string: (traceParent ?? TraceParent.random()).description)
        }
        let deadline =
            try self.deadline.map(checkedDeadline)
            ?? timeoutSeconds.map { iso8601(microseconds: Timestamp.microsecondsNow() + Int64($0 * 1e6)) }

        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.member("id", id)
        writer.name("route")
        routeWithMetadata(jobID: id).write(to: &writer)
        writer.name("headers")
        writer.append(headers.json ?? .emptyObject)
        writer.member("deadline", deadline)
        for member in unknown { writer.append(member) }
        writer.name("payload")
        return Submission(
            id: id, actors: route.actors, payload: payload, messageHead: writer.bytes, timeoutSeconds: timeoutSeconds,
            deadline: deadline)
    }

    private func checkRoute() throws(Problem) {
        guard route.current == 0 else {
            throw Problem(
                .invalidRoute, "a new envelope begins at 'route.current' 0, not \(route.current)", at: "/route/current")
        }
        guard (1...Self.routeLimit).contains(route.actors.count) else {
            throw Problem(.invalidRoute, "'route.actors' must name 1 to \(Self.routeLimit) actors", at: "/route/actors")
        }
        for (index, actor) in route.actors.enumerated() {
            if let problem = ActorName.problem(with: actor) {
                throw Problem(.invalidRoute, problem, at: "/route/actors/\(index)")
            }
        }
    }

    /// `metadata.job_id` is what handlers of the original look for.
    private func routeWithMetadata(jobID: String) -> Route {
        let jobIDMember = RawJSON.Member(name: "job_id", value: RawJSON(string: jobID))
        guard let index = route.unknown.lastIndex(where: { $0.isNamed("metadata") }) else {
            let metadata = RawJSON { writer in
                writer.beginObject()
                writer.append(jobIDMember)
                writer.endObject()
            }
            return Route(
                actors: route.actors, unknown: route.unknown + [RawJSON.Member(name: "metadata", value: metadata)])
        }
        let metadata = route.unknown[index].value
        guard metadata.kind == .object, metadata["job_id"] == nil else { return route }
        var unknown = route.unknown
        unknown[index] = RawJSON.Member(
            name: "metadata",
            value: RawJSON { writer in
                writer.beginObject()
                for member in metadata.members + [jobIDMember] { writer.append(member) }
                writer.endObject()
            })
        return Route(actors: route.actors, unknown: unknown)
    }

    /// PostgreSQL reads many more forms of time (`tomorrow`): only ISO 8601 with a zone is let through to it.
    private func checkedDeadline(_ text: String) throws(Problem) -> String {
        let pattern = /\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})/
        guard text.wholeMatch(of: pattern) != nil else {
            throw Problem(
                .invalidDeadline, "'deadline' must be ISO 8601 with a time zone, like 2026-11-21T09:30:00Z",
                at: "/deadline")
        }
        return text
    }
}
