internal import Envelopes
internal import PostgreSQL

/// Envelopes as resources.
extension MCPServer {
    private static let pageSize = 50
    private static let historyLimit = 1000

    /// Empty for who may not read them: clients list without being asked to.
    func listResources(_ params: RawJSON, _ caller: Caller) async throws -> MCPResult {
        let place = try EnvelopePlace(params)
        let page =
            caller.principal.may(.read) ? try await gateway.store.envelopes(after: place, limit: Self.pageSize) : []
        return MCPResult(cache: .init(milliseconds: 0)) { writer in
            writer.name("resources")
            writer.beginArray()
            for envelope in page {
                writer.beginObject()
                writer.member("uri", EnvelopeResource.uri(envelope.id))
                writer.member("name", envelope.id)
                writer.member("title", envelope.actors.joined(separator: " > ") + ": " + envelope.status.rawValue)
                writer.member("mimeType", "application/json")
                writer.endObject()
            }
            writer.endArray()
            writer.member("nextCursor", EnvelopePlace.next(after: page, limit: Self.pageSize))
        }
    }

    func listResourceTemplates(_ params: RawJSON) throws(JSONRPCError) -> MCPResult {
        if try Cursor.parts(params, count: 1) != nil { throw Cursor.unknown }
        let templates = [
            ("envelope", "{id}", "An envelope: status, progress, payload, result"),
            ("history", "{id}/history", "What has happened to an envelope, the oldest first"),
        ]
        return MCPResult(cache: .init(milliseconds: 3_600_000, isPublic: true)) { writer in
            writer.name("resourceTemplates")
            writer.beginArray()
            for (name, path, description) in templates {
                writer.beginObject()
                writer.member("uriTemplate", EnvelopeResource.prefix + path)
                writer.member("name", name)
                writer.member("description", description)
                writer.member("mimeType", "application/json")
                writer.endObject()
            }
            writer.endArray()
        }
    }

    func readResource(_ params: RawJSON, _ caller: Caller) async throws -> MCPResult {
        let uri = try uri(params)
        guard let resource = EnvelopeResource(uri), let json = try await contents(of: resource) else {
            throw unknownResource(uri, caller.version)
        }
        return MCPResult(cache: .init(milliseconds: 0)) { writer in
            writer.name("contents")
            writer.beginArray()
            Self.writeContents(of: resource, json, to: &writer)
            writer.endArray()
        }
    }

    static func writeContents(of resource: EnvelopeResource, _ json: RawJSON, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("uri", resource.uri)
        writer.member("mimeType", "application/json")
        writer.member("text", json.description)
        writer.endObject()
    }

    /// `nil` when there is no such envelope.
    func contents(of resource: EnvelopeResource) async throws -> RawJSON? {
        if resource.isHistory {
            let history = try await gateway.store.updates(
                of: resource.envelopeID, after: 0, limit: Self.historyLimit)
            return history.map { history in
                RawJSON { writer in
                    writer.beginArray()
                    for update in history.updates { writer.append(RawJSON(stored: update.json)) }
                    writer.endArray()
                }
            }
        }
        let envelope = try await gateway.store.envelope(resource.envelopeID)
        return envelope.map { envelope in RawJSON { envelope.write(to: &$0, withBodies: true) } }
    }

    /// `resources/subscribe`: from now on the session's own stream tells when the envelope has moved.
    func subscribe(_ params: RawJSON, _ session: Session) async throws -> MCPResult {
        let resource = try subscribable(params, session.version)
        let id = resource.envelopeID
        guard let last = try await gateway.store.lastUpdates(of: [id])[id] else {
            throw unknownResource(resource.uri, session.version)
        }
        do throws(SessionMachine.TooManyResources) {
            try session.withMachine { (machine) throws(SessionMachine.TooManyResources) in
                try machine.subscribe(id, last: last)
            }
        } catch {
            throw JSONRPCError(
                .invalidParams, "a session can subscribe to \(SessionMachine.resourceLimit) resources at most")
        }
        session.wake(0)
        return .empty
    }

    func unsubscribe(_ params: RawJSON, _ session: Session) throws(JSONRPCError) -> MCPResult {
        let id = try subscribable(params, session.version).envelopeID
        session.withMachine { $0.unsubscribe(id) }
        return .empty
    }

    private func subscribable(_ params: RawJSON, _ version: ProtocolVersion) throws(JSONRPCError) -> EnvelopeResource {
        let uri = try uri(params)
        guard let resource = EnvelopeResource(uri) else { throw unknownResource(uri, version) }
        guard !resource.isHistory else {
            throw JSONRPCError(.invalidParams, "subscribe to \(EnvelopeResource.uri(resource.envelopeID)) instead")
        }
        return resource
    }

    private func uri(_ params: RawJSON) throws(JSONRPCError) -> String {
        guard let uri = params["uri"]?.string else { throw JSONRPCError(.invalidParams, "'uri' must be a string") }
        return uri
    }

    private func unknownResource(_ uri: String, _ version: ProtocolVersion) -> JSONRPCError {
        let data = RawJSON { writer in
            writer.beginObject()
            writer.member("uri", String(uri.prefix(1000)))
            writer.endObject()
        }
        return JSONRPCError(
            version.isStateless ? .invalidParams : .resourceNotFound,
            "there is no such resource; envelopes are \(EnvelopeResource.prefix){id}", data: data)
    }
}
