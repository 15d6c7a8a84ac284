internal import Envelopes
internal import HTTPTypes
internal import Hummingbird
internal import Telemetry

extension GatewayRouter {
    var submitEndpoints: [Endpoint] {
        let location = Endpoint.Parameter(
            name: "Location", place: .header, schema: #"{"type":"string"}"#, text: "Where the envelope's state is")
        return [
            Endpoint(
                method: .post, path: "/envelopes", name: "submitEnvelope", access: .known,
                summary: "Submit an envelope along a route",
                details: """
                    When the answer comes it is in the database and will be sent. With `parent_id` it registers the child of a \
                    fan-out instead, as sidecars do, and sends nothing. Needs the scope `submit`; with `parent_id`, `internal`.
                    """,
                body: .init(
                    schema:
                        ##"{"anyOf":[{"$ref":"#/components/schemas/Submission"},{"$ref":"#/components/schemas/ChildRegistration"}]}"##,
                    example:
                        #"{"route":{"actors":["resize","caption"]},"payload":{"url":"https://example.com/cat.png"}}"#),
                answers: [
                    .init(status: .accepted, text: "Accepted", schema: .named("Accepted"), headers: [location]),
                    .init(status: .created, text: "A child is registered", schema: .named("Accepted")),
                ],
                errors: [
                    .invalidJSON, .invalidRequest, .invalidRoute, .invalidID, .invalidDeadline, .duplicateID,
                    .bodyTooLarge,
                ], listeners: [.outside, .inside], handler: postEnvelope)
        ]
    }

    /// `POST /envelopes`: with `parent_id` registers a child of a fan-out, else submits by route.
    func postEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let members = try await reading.members(of: request)
        if let parentID = try members.string("parent_id") {
            if context.listener == .outside { throw Problem.misdirected(to: [.inside]) }
            try context.principal.require(.internal)
            return try await registerChild(members, parentID)
        }
        try context.principal.require(.submit)
        let submission = try await submit(SubmissionRequest(members), from: request)
        let id = submission.id
        var response = Response(status: .accepted) { writer in
            writer.beginObject()
            writer.member("id", id)
            writer.member("status", EnvelopeStatus.pending.rawValue)
            writer.member("not_before", time: submission.schedule.notBefore)
            writer.member("status_url", "/envelopes/\(id)")
            writer.member("stream_url", "/envelopes/\(id)/stream")
            writer.endObject()
        }
        response.headers[.location] = "/envelopes/\(id)"
        return response
    }

    /// Accepts an envelope: when this returns it is in the database and will be sent.
    func submit(_ submissionRequest: SubmissionRequest, from request: Request) async throws -> Submission {
        var submissionRequest = submissionRequest
        submissionRequest.traceParent = HTTPField.Name("traceparent").flatMap { request.headers[$0] }.flatMap(
            TraceParent.init)
        let submission = try submissionRequest.submission()
        guard let rowID = try await store.submit(submission, grace: outboxGrace) else {
            throw Problem(.duplicateID, "envelope '\(submission.id)' is there already", at: "/id")
        }
        metrics.submitted.increment()
        if let start = submission.schedule.notBefore {
            outbox.expectMessage(at: start)
        } else {
            outbox.offer(
                OutboxMessage(
                    rowID: rowID, envelopeID: submission.id, actor: submission.actors.first ?? "",
                    body: submission.message, attempts: 0))
        }
        return submission
    }

    private func registerChild(_ members: [RawJSON.Member], _ parentID: String) async throws -> Response {
        guard let id = try members.string("id") else { throw Problem(.invalidRequest, "'id' is missing", at: "/id") }
        for (name, value) in [("id", id), ("parent_id", parentID)]
        where !EnvelopeID.isAcceptable(value, lengthLimit: EnvelopeID.childLengthLimit) {
            throw Problem(
                .invalidID, "'\(name)' must have 1 to \(EnvelopeID.childLengthLimit) characters of A-Z a-z 0-9 . _ : -",
                at: "/\(name)")
        }
        let route = try childRoute(members)
        let child = FanOutChild(id: id, parentID: parentID, actors: route.actors, actorIndex: route.current)
        _ = try await reportWriter.write([.child(child)])
        return Response(status: .created) { writer in
            writer.beginObject()
            writer.member("status", "created")
            writer.member("id", id)
            writer.endObject()
        }
    }

    /// Sidecars of the original send `actors` and `current` beside the id, ours a `route`.
    private func childRoute(_ members: [RawJSON.Member]) throws(Problem) -> Route {
        do throws(EnvelopeError) {
            if let route = members["route"], route.kind != .null { return try Route(route) }
            guard let actors = members["actors"], actors.kind != .null else { return Route(actors: []) }
            return try Route(
                RawJSON { writer in
                    writer.beginObject()
                    writer.name("actors")
                    writer.append(actors)
                    if let current = members["current"] ?? members["current_actor_idx"] {
                        writer.name("current")
                        writer.append(current)
                    }
                    writer.endObject()
                })
        } catch {
            throw Problem(.invalidRoute, error.message, at: "/route")
        }
    }
}
