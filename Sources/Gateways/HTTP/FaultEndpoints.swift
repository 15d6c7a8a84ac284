internal import Envelopes
internal import Faults
internal import HTTPClient
internal import HTTPTypes
internal import Hummingbird

/// Faults: what goes wrong on purpose.
extension GatewayRouter {
    var faultEndpoints: [Endpoint] {
        let filters: [Endpoint.Parameter] = [
            .init(name: "actor", schema: .name, text: "Those that name this actor; `*` for those that name all"),
            .init(name: "owner", schema: .name, text: "Those of this owner"),
        ]
        let list = Endpoint.Answer(status: .ok, text: "The faults", schema: .named("FaultList"))
        return [
            Endpoint(
                method: .post, path: "/faults", name: "injectFault", access: .scope(.operate),
                summary: "Let something go wrong on purpose, for a while",
                details: """
                    Its clock starts now, and it ends by itself. All replicas are told; the answer doesn't wait until they have heard. Every \
                    effect stands in the envelope's history. Asking again by the same id starts no second one, not even after its end.
                    """,
                body: .init(
                    schema: .named("FaultRequest"),
                    example: #"{"kind":"latency","actor":"payment","delay":"500ms","probability":0.5,"duration":"30s"}"#
                ),
                answers: [
                    .init(status: .created, text: "It has begun", schema: .named("Fault")),
                    .init(status: .ok, text: "There is such a fault already", schema: .named("Fault")),
                ], errors: [.invalidFault, .tooManyFaults, .duplicateFault, .faultsDisabled], handler: injectFault),
            Endpoint(
                method: .get, path: "/faults", name: "listFaults", access: .scope(.read),
                summary: "The faults that there are just now, the latest first",
                parameters: filters + [
                    .init(name: "all", schema: .flag, text: "Also those that have ended within a day")
                ], answers: [list], errors: [.invalidRequest, .faultsDisabled], handler: listFaults),
            Endpoint(
                method: .delete, path: "/faults", name: "resetFaults", access: .scope(.operate),
                summary: "End all faults, or those of an actor or an owner",
                details: "The answer has those that have ended by it, and doesn't wait until all sidecars have heard.",
                parameters: filters, answers: [list], errors: [.invalidRequest, .faultsDisabled],
                handler: resetFaults),
            Endpoint(
                method: .delete, path: "/faults/{id}", name: "resetFault", access: .scope(.operate),
                summary: "End a fault", details: "One that has ended already stays as it is.",
                answers: [list], errors: [.unknownFault, .faultsDisabled], handler: resetFault),
        ]
    }

    /// - Throws: where nothing may go wrong on purpose.
    func faultDesk() throws(Problem) -> FaultDesk {
        guard let faults else {
            throw Problem(
                .faultsDisabled,
                "faults are off: set TROUPE_FAULTS_ENABLED=true for the gateway and for the sidecars that may be struck"
            )
        }
        return faults
    }

    /// `POST /faults`
    func injectFault(_ request: Request, _ context: Context) async throws -> Response {
        let desk = try faultDesk()
        let body = RawJSON(object: try await reading.members(of: request))
        let (record, isNew) = try await desk.inject(body, by: context.principal.id)
        return Response(status: isNew ? .created : .ok) { writer in
            record.write(to: &writer, now: Timestamp.microsecondsNow())
        }
    }

    /// `GET /faults?actor=&owner=&all=`
    func listFaults(_ request: Request, _ context: Context) async throws -> Response {
        let desk = try faultDesk()
        let query = try QueryParameters(request, known: ["actor", "owner", "all"])
        var filter = try filter(query)
        filter.isActive = try !query.flag("all")
        return Response(json: try await desk.list(filter))
    }

    /// `DELETE /faults?actor=&owner=`
    func resetFaults(_ request: Request, _ context: Context) async throws -> Response {
        let desk = try faultDesk()
        let filter = try filter(QueryParameters(request, known: ["actor", "owner"]))
        return Response(json: try await desk.reset(filter, by: context.principal.id))
    }

    /// `DELETE /faults/{id}`
    func resetFault(_ request: Request, _ context: Context) async throws -> Response {
        let desk = try faultDesk()
        guard let id = context.parameters.get("id")?.percentDecoded, !id.utf8.contains(0) else {
            throw Problem(.unknownFault, "no fault can have this id")
        }
        return Response(json: try await desk.reset(id, by: context.principal.id))
    }

    private func filter(_ query: QueryParameters) throws(Problem) -> FaultFilter {
        FaultFilter(actor: try query.text("actor"), owner: try query.text("owner"))
    }
}
