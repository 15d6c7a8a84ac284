internal import Envelopes

/// What somebody wants to be sent on its way: from `POST /envelopes` or from a tool call.
struct SubmissionRequest: Sendable {
    var id: String?
    var route: Route
    var headers = Headers()
    var payload: RawJSON
    /// Top-level members that travel on.
    var unknown: [RawJSON.Member] = []
    var schedule: Schedule
    /// Of the caller; `nil`: as the HTTP request says.
    var trace: CallerTrace?

    private static let routeLimit = 1000
    private static let known = ["id", "parent_id", "route", "headers", "payload"] + Schedule.names

    /// Reads the body of `POST /envelopes`.
    init(_ members: [RawJSON.Member]) throws(Problem) {
        for name in Self.known where members.count(where: { $0.isNamed(name) }) > 1 {
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
        schedule = try Schedule(members)
        unknown = members.filter { member in !Self.known.contains { member.isNamed($0) } }
    }

    init(route: [String], payload: RawJSON, schedule: Schedule) {
        self.route = Route(actors: route)
        self.payload = payload
        self.schedule = schedule
    }

    /// Checks it, and completes it with an id and a trace.
    func submission() throws(Problem) -> Submission {
        try checkRoute()
        if let id, !EnvelopeID.isAcceptable(id) {
            throw Problem(.invalidID, "'id' must have 1 to 200 characters of A-Z a-z 0-9 . _ : -", at: "/id")
        }
        let id = id ?? EnvelopeID.random()
        var headers = headers
        (trace ?? CallerTrace([])).write(to: &headers)
        headers.submittedAt = Timestamp.now()
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.member("id", id)
        writer.name("route")
        routeWithMetadata(jobID: id).write(to: &writer)
        writer.name("headers")
        writer.append(headers.json ?? .emptyObject)
        writer.member("deadline", schedule.deadlineText)
        for member in unknown { writer.append(member) }
        writer.name("payload")
        return Submission(
            id: id, actors: route.actors, payload: payload, messageHead: writer.bytes, schedule: schedule)
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
            let metadata = RawJSON(object: [jobIDMember])
            return Route(
                actors: route.actors, unknown: route.unknown + [RawJSON.Member(name: "metadata", value: metadata)])
        }
        let metadata = route.unknown[index].value
        guard metadata.kind == .object, metadata["job_id"] == nil else { return route }
        var unknown = route.unknown
        unknown[index] = RawJSON.Member(
            name: "metadata", value: RawJSON(object: metadata.members + [jobIDMember]))
        return Route(actors: route.actors, unknown: unknown)
    }
}
