internal import Envelopes
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Transports

/// Actors and their queues: how they are, and whether they take deliveries.
extension GatewayRouter {
    static let reasonLimit = 500

    var actorEndpoints: [Endpoint] {
        let one = Endpoint.Answer(status: .ok, text: "The actor", schema: .named("ActorAnswer"))
        let away =
            "While the broker is away, `broker` says so and what it knows is null. Numbers are up to a second old."
        return [
            Endpoint(
                method: .get, path: "/actors", name: "listActors", access: .scope(.read),
                summary: "All actors that gateways have heard of, with their queues, work and rates",
                details:
                    "An actor is known once a sidecar of its has started beside a gateway, or it had a dead letter. \(away)",
                answers: [.init(status: .ok, text: "The actors, by name", schema: .named("ActorList"))],
                handler: listActors),
            Endpoint(
                method: .get, path: "/actors/{name}", name: "getActor", access: .scope(.read), summary: "One actor",
                details: away, answers: [one], errors: [.unknownActor], handler: getActor),
            Endpoint(
                method: .post, path: "/actors/{name}/pause", name: "pauseActor", access: .scope(.operate),
                summary: "Let an actor take no deliveries until it is resumed",
                details: """
                    Its sidecars finish what is at the handler and give back the rest. Envelopes for it are accepted as ever and wait in \
                    its queue; deadlines and cancellations hold. It lasts over restarts of everything. The answer doesn't wait until all \
                    sidecars have heard of it. What is paused already, is.
                    """,
                body: .init(
                    schema: .named("PauseRequest"), example: #"{"reason":"the printer is out of paper"}"#,
                    isRequired: false),
                answers: [one], errors: [.invalidRequest, .unknownActor], handler: pauseActor),
            Endpoint(
                method: .post, path: "/actors/{name}/resume", name: "resumeActor", access: .scope(.operate),
                summary: "Let a paused actor take deliveries again",
                details: "The answer doesn't wait until all sidecars have heard of it. What isn't paused stays so.",
                answers: [one], errors: [.unknownActor], handler: resumeActor),
            Endpoint(
                method: .get, path: "/queues", name: "listQueues", access: .scope(.read),
                summary: "The queues that Troupe knows by name",
                details: "Those that are there. \(away)",
                answers: [.init(status: .ok, text: "The queues", schema: .named("QueueList"))], handler: listQueues),
        ]
    }

    /// `GET /actors`
    func listActors(_ request: Request, _ context: Context) async throws -> Response {
        let view = try await board.view()
        return Response { writer in
            writer.beginObject()
            view.writeBroker(to: &writer)
            writer.name("actors")
            writer.beginArray()
            for actor in view.actors { view.write(actor, to: &writer) }
            writer.endArray()
            writer.endObject()
        }
    }

    /// `GET /actors/{name}`
    func getActor(_ request: Request, _ context: Context) async throws -> Response {
        try await answer(about: try reading.actorName(context))
    }

    /// `POST /actors/{name}/pause {"reason"?}`
    func pauseActor(_ request: Request, _ context: Context) async throws -> Response {
        let name = try reading.actorName(context)
        let reason = try await reading.membersIfAny(of: request).string("reason")
        if let reason, reason.utf8.count > Self.reasonLimit {
            throw Problem(.invalidRequest, "'reason' is longer than \(Self.reasonLimit) bytes", at: "/reason")
        }
        guard try await store.pause(name, by: context.principal.id, reason: reason) else { throw unknownActor(name) }
        logger.notice("actor paused", metadata: ["actor": "\(name)"])
        return try await announced(name)
    }

    /// `POST /actors/{name}/resume`
    func resumeActor(_ request: Request, _ context: Context) async throws -> Response {
        let name = try reading.actorName(context)
        guard try await store.resume(name) else { throw unknownActor(name) }
        logger.notice("actor resumed", metadata: ["actor": "\(name)"])
        return try await announced(name)
    }

    /// `GET /queues`
    func listQueues(_ request: Request, _ context: Context) async throws -> Response {
        let view = try await board.view()
        return Response { writer in
            writer.beginObject()
            view.writeBroker(to: &writer)
            writer.name("queues")
            view.writeQueues(to: &writer, name: queues.name(of:))
            writer.endObject()
        }
    }

    private func announced(_ name: String) async throws -> Response {
        pauses.wake()
        await board.forget()
        return try await answer(about: name)
    }

    private func answer(about name: String) async throws -> Response {
        let view = try await board.view()
        guard let actor = view.actors.first(where: { $0.name == name }) else { throw unknownActor(name) }
        return Response { writer in
            writer.beginObject()
            view.writeBroker(to: &writer)
            writer.name("actor")
            view.write(actor, to: &writer)
            writer.endObject()
        }
    }

    private func unknownActor(_ name: String) -> Problem {
        Problem(
            .unknownActor, "no gateway has heard of an actor '\(name.prefix(200))': has a sidecar of its ever started?")
    }
}
