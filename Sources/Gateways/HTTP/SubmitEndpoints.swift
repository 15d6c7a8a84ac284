internal import Envelopes
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Telemetry

extension GatewayRouter {
    var submitEndpoints: [Endpoint] {
        let location = Endpoint.Parameter(
            name: "Location", place: .header, schema: .string, text: "Where the envelope's state is")
        return [
            Endpoint(
                method: .post, path: "/envelopes", name: "submitEnvelope", access: .known,
                summary: "Submit an envelope along a route",
                details: """
                    When the answer comes it is in the database and will be sent. With `parent_id` it registers the child of a \
                    fan-out instead, as sidecars do, and sends nothing. Needs the scope `submit`; with `parent_id`, `internal`.
                    """,
                parameters: [Self.idempotencyKey],
                body: .init(
                    schema:
                        ##"{"anyOf":[{"$ref":"#/components/schemas/Submission"},{"$ref":"#/components/schemas/ToolSubmission"},{"$ref":"#/components/schemas/ChildRegistration"}]}"##,
                    example:
                        #"{"route":{"actors":["resize","caption"]},"payload":{"url":"https://example.com/cat.png"}}"#),
                answers: [
                    .init(
                        status: .accepted, text: "Accepted", schema: .named("Accepted"), headers: [location],
                        hasEnvelopeID: true),
                    .init(status: .created, text: "A child is registered", schema: .named("Accepted")),
                ], errors: Self.submissionErrors, listeners: [.outside, .inside], handler: postEnvelope),
            Endpoint(
                method: .post, path: "/envelopes/bulk", name: "submitEnvelopes", access: .scope(.submit),
                summary: "Submit many envelopes, one a line",
                details: """
                    Each line is a Submission or a ToolSubmission. The answer is streamed while lines come: a line for each, in their \
                    order, and a last one with the sums, without which the upload has not ended. A wrong line keeps no other from \
                    being accepted. With an Idempotency-Key the same upload can be sent again after a failure.
                    """,
                parameters: [Self.idempotencyKey],
                body: .init(
                    type: "application/x-ndjson", schema: .string,
                    example: """
                        {"route":{"actors":["caption"]},"payload":{"url":"https://example.com/1.png"}}
                        {"tool":"caption","arguments":{"url":"https://example.com/2.png"}}
                        """, isRequired: false),
                answers: [
                    .init(
                        status: .ok, text: "A line each, and the sums", type: "application/x-ndjson",
                        schema: .string,
                        example: """
                            {"line":1,"id":"0193f1c2-...","status":"pending"}
                            {"line":2,"error":{"code":"unknown_tool","detail":"there is no tool 'caption'","pointer":"/tool"}}
                            {"lines":2,"accepted":1,"refused":1}
                            """)
                ], errors: [.invalidRequest, .overloaded], handler: postEnvelopes),
        ]
    }

    private static let submissionErrors: [ErrorCode] = [
        .invalidJSON, .nestingTooDeep, .invalidRequest, .invalidRoute, .invalidID, .invalidDeadline, .invalidArguments,
        .unknownTool, .duplicateID, .keyReused, .bodyTooLarge, .overloaded,
    ]

    static let idempotencyKey = Endpoint.Parameter(
        name: "Idempotency-Key", place: .header, schema: #"{"type":"string","pattern":"^[!-~]{1,200}$"}"#,
        text:
            "A name for this request: sent again with the same body within a day, it is answered the same and does nothing"
    )

    /// `POST /envelopes`: with `parent_id` registers a child of a fan-out, else submits by route or by tool.
    func postEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let body = try await reading.bytes(of: request)
        let members = try reading.members(of: body)
        let key = try IdempotencyKey(request, body: body)
        if let parentID = try members.string("parent_id") {
            if context.listener == .outside { throw Problem.misdirected(to: [.inside]) }
            try context.principal.require(.internal)
            return try await registerChild(members, parentID)
        }
        try context.principal.require(.submit)
        var submission = try submission(
            SubmissionRequest(members, tools: tools), from: request, by: context.principal)
        submission.key = key
        submission.answer = submission.acceptance
        let (answer, isRepeated) = try await accept(submission)
        var response = Response(status: .accepted, json: answer)
        response.headers[.location] = answer["id"]?.string.map { "/envelopes/\($0)" }
        if isRepeated { response.headers[.idempotentReplayed] = "true" }
        return response
    }

    // MARK: Accepting

    func submission(
        _ submissionRequest: SubmissionRequest, from request: Request, by principal: Principal
    ) throws(Problem) -> Submission {
        var submissionRequest = submissionRequest
        if submissionRequest.trace == nil {
            submissionRequest.trace = CallerTrace(request.headers)
            if let scope = RequestScope.current { submissionRequest.trace?.parent = scope.trace }
        }
        var submission = try submissionRequest.submission()
        submission.principal = principal.id
        return submission
    }

    /// Accepts an envelope: when this returns it is in the database and will be sent.
    func submit(
        _ submissionRequest: SubmissionRequest, from request: Request, by principal: Principal
    ) async throws -> Submission {
        let submission = try submission(submissionRequest, from: request, by: principal)
        _ = try await accept(submission)
        return submission
    }

    /// - Returns: the answer; an earlier one where the key was used before.
    func accept(_ submission: Submission) async throws -> (answer: RawJSON, isRepeated: Bool) {
        let outcome = try await accept([submission])[0]
        let answer = try submission.answer(after: outcome)
        if case .repeated = outcome { return (answer, true) }
        return (answer, false)
    }

    /// Accepts envelopes, as many as there can be.
    func accept(_ submissions: [Submission]) async throws -> [SubmissionOutcome] {
        try gate.enter(submissions.count)
        let outcomes = try await store.submit(submissions, grace: outboxGrace)
        // An upload that is sent again passes what was accepted before, or it would never come further.
        gate.leave(outcomes.count { if case .accepted = $0 { false } else { true } })
        for (submission, outcome) in zip(submissions, outcomes) {
            guard case .accepted(let rowID) = outcome else { continue }
            metrics.submitted.increment()
            logger.debug("envelope accepted", metadata: ["envelope_id": "\(submission.id)"])
            if let start = submission.schedule.notBefore {
                outbox.expectMessage(at: start)
            } else {
                outbox.offer(
                    OutboxMessage(
                        rowID: rowID, envelopeID: submission.id, actor: submission.actors.first ?? "",
                        body: submission.message, attempts: 0))
            }
        }
        return outcomes
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
        _ = try await reportWriter.write([ReadReport(.child(child))])
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

extension Submission {
    /// What its first caller is told.
    var acceptance: RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.member("id", id)
            writer.member("status", EnvelopeStatus.pending.rawValue)
            writer.member("not_before", time: schedule.notBefore)
            writer.member("status_url", "/envelopes/\(id)")
            writer.member("stream_url", "/envelopes/\(id)/stream")
            writer.endObject()
        }
    }

    func answer(after outcome: SubmissionOutcome) throws(Problem) -> RawJSON {
        switch outcome {
        case .accepted: return answer
        case .repeated(let digest, let stored):
            guard digest == key?.digest else {
                throw Problem(.keyReused, "this 'Idempotency-Key' was used for another request; take a new one")
            }
            return RawJSON(stored: stored)
        case .duplicate: throw Problem(.duplicateID, "envelope '\(id)' is there already", at: "/id")
        }
    }
}
