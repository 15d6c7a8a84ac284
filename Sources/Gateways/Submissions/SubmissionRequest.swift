internal import Envelopes

/// What somebody wants to be sent on its way: along a route, or by a tool.
struct SubmissionRequest: Sendable {
    var id: String?
    var route: Route
    var tool: String?
    var headers = Headers()
    var payload: RawJSON
    /// Top-level members that travel on.
    var unknown: [RawJSON.Member] = []
    var schedule: Schedule
    /// Of the caller; `nil`: as the HTTP request says.
    var trace: CallerTrace?

    private static let routeLimit = 1000

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
        var envelope = Envelope(
            id: id, route: routeWithMetadata(jobID: id), headers: headers, payload: payload, unknown: unknown)
        if let deadline = schedule.deadlineText {
            envelope.unknown.insert(.init(name: "deadline", value: RawJSON(string: deadline)), at: 0)
        }
        return Submission(
            id: id, actors: route.actors, tool: tool, payload: payload, messageHead: envelope.head, schedule: schedule)
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

extension SubmissionRequest {
    private static let common = ["id", "parent_id", "headers"] + Schedule.names
    private static let knownWithRoute = common + ["route", "payload"]
    private static let knownWithTool = common + ["tool", "arguments"]

    /// Reads the body of `POST /envelopes`: `route` and `payload`, or `tool` and `arguments`.
    init(_ members: [RawJSON.Member], tools: ToolCatalogue) throws(Problem) {
        let isByTool = members["route"] == nil && members["tool"] != nil
        let known = isByTool ? Self.knownWithTool : Self.knownWithRoute
        for name in known where members.count(where: { $0.isNamed(name) }) > 1 {
            throw Problem(.invalidRequest, "'\(name)' stands twice", at: "/\(name)")
        }
        if isByTool {
            try self.init(toolCall: members, named: "tool", tools)
        } else {
            guard let routeMember = members["route"] else {
                throw Problem(.invalidRoute, "'route' is missing; 'tool' would do, too", at: "/route")
            }
            let route: Route
            do throws(EnvelopeError) {
                route = try Route(routeMember)
            } catch { throw Problem(.invalidRoute, error.message, at: "/route") }
            guard let payload = members["payload"] else {
                throw Problem(.invalidRequest, "'payload' is missing", at: "/payload")
            }
            self.init(route: route, payload: payload, schedule: try Schedule(members))
        }
        id = try members.string("id")
        do throws(EnvelopeError) {
            headers = try Headers(members["headers"] ?? .null)
        } catch { throw Problem(.invalidRequest, "'headers' must be an object", at: "/headers") }
        unknown = members.filter { member in !known.contains { member.isNamed($0) } }
    }

    /// Reads `arguments` and when it starts and ends.
    /// - Parameter nameMember: which member names the tool.
    init(toolCall members: [RawJSON.Member], named nameMember: String, _ tools: ToolCatalogue) throws(Problem) {
        guard let name = try members.string(nameMember), !name.isEmpty else {
            throw Problem(.invalidRequest, "'\(nameMember)' is missing", at: "/\(nameMember)")
        }
        guard let tool = tools[name] else {
            throw Problem(.unknownTool, "there is no tool '\(name)'", at: "/\(nameMember)")
        }
        let arguments = members["arguments"]?.nonNull ?? .emptyObject
        guard arguments.kind == .object else {
            throw Problem(.invalidRequest, "'arguments' must be an object, is \(arguments.kind)", at: "/arguments")
        }
        let payload: RawJSON
        do throws(ArgumentProblem) {
            payload = try tool.payload(for: arguments)
        } catch { throw Problem(error, in: "arguments") }
        self.init(tool, payload: payload, schedule: try Schedule(members, timeoutSeconds: tool.timeoutSeconds))
    }

    init(_ tool: Tool, payload: RawJSON, schedule: Schedule) {
        self.init(route: Route(actors: tool.route), tool: tool.name, payload: payload, schedule: schedule)
    }
}
