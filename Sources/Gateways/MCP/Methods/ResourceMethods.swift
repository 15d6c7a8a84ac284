internal import Envelopes

/// What can be read: the documents of the tool files, and envelopes.
extension MCPServer {
    private static let pageSize = 50
    private static let historyLimit = 1000

    /// The files' documents first, then envelopes, the newest first. Empty for who may not read them: clients list without being
    /// asked to.
    func listResources(_ params: RawJSON, _ caller: Caller) async throws -> MCPResult {
        let mayRead = caller.principal.may(.read)
        let documents = mayRead ? gateway.tools.resources.filter { !$0.isTemplate } : []
        let place = try? EnvelopePlace(params)
        var (page, next): (ArraySlice<Resource>, String?) = ([], nil)
        if place == nil { (page, next) = try Cursor.page(of: documents, params, size: Self.pageSize, key: \.key) }
        var envelopes: [EnvelopeRecord] = []
        if next == nil, mayRead {
            let limit = Self.pageSize - page.count
            if limit > 0 {
                envelopes = try await gateway.store.envelopes(EnvelopeFilter(), after: place, limit: limit)
                next = EnvelopePlace.next(after: envelopes, limit: limit)
            } else {
                next = page.last.map { Cursor.text([$0.key]) }
            }
        }
        return MCPResult(cache: .init(milliseconds: 0)) { [page, next, envelopes] writer in
            writer.name("resources")
            writer.beginArray()
            for document in page { document.write(as: "uri", to: &writer) }
            for envelope in envelopes {
                writer.beginObject()
                writer.member("uri", EnvelopeResource.uri(envelope.id))
                writer.member("name", envelope.id)
                writer.member("title", envelope.actors.joined(separator: " > ") + ": " + envelope.status.rawValue)
                writer.member("mimeType", "application/json")
                writer.endObject()
            }
            writer.endArray()
            writer.member("nextCursor", next)
        }
    }

    func listResourceTemplates(_ params: RawJSON) throws(JSONRPCError) -> MCPResult {
        let templates = gateway.tools.resources.filter(\.isTemplate) + EnvelopeResource.templates
        let (page, next) = try Cursor.page(of: templates, params, size: Self.pageSize, key: \.key)
        return MCPResult(cache: .init(milliseconds: settings.toolsAge.milliseconds, isPublic: true)) { writer in
            writer.name("resourceTemplates")
            writer.beginArray()
            for template in page { template.write(as: "uriTemplate", to: &writer) }
            writer.endArray()
            writer.member("nextCursor", next)
        }
    }

    func readResource(_ params: RawJSON, _ caller: Caller) async throws -> MCPResult {
        let uri = try uri(params)
        guard let contents = try await contents(of: uri) else { throw unknownResource(uri, caller.version) }
        return MCPResult(cache: .init(milliseconds: 0)) { writer in
            writer.name("contents")
            writer.beginArray()
            contents.write(to: &writer)
            writer.endArray()
        }
    }

    /// `nil` when there is no such resource.
    func contents(of uri: String) async throws -> ResourceContents? {
        if let resource = EnvelopeResource(uri) {
            return try await json(of: resource).map { ResourceContents(uri: uri, json: $0) }
        }
        return gateway.tools.resource(at: uri).map { found in
            ResourceContents(uri: uri, found.resource.mimeType, found.resource.body, found.values)
        }
    }

    private func json(of resource: EnvelopeResource) async throws -> RawJSON? {
        if resource.isHistory {
            let history = try await gateway.store.updates(
                of: resource.envelopeID, after: 0, limit: Self.historyLimit, withPartials: false)
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

    /// `resources/subscribe`: from now on the session's own stream tells when the envelope has moved, or the document has changed.
    func subscribe(_ params: RawJSON, _ session: Session) async throws -> MCPResult {
        let uri = try uri(params)
        let subscription: ChangeWatch.Subscription
        if let resource = EnvelopeResource(uri) {
            let id = try subscribable(resource).envelopeID
            guard let last = try await gateway.store.lastChanges(of: [id])[id] else {
                throw unknownResource(uri, session.version)
            }
            subscription = .envelope(id, last: last)
        } else if gateway.tools.resource(at: uri) != nil {
            subscription = .document(uri)
        } else {
            throw unknownResource(uri, session.version)
        }
        do throws(SessionMachine.TooManyResources) {
            try session.withMachine { (machine) throws(SessionMachine.TooManyResources) in
                try machine.subscribe(subscription)
            }
        } catch {
            throw JSONRPCError(
                .invalidParams, "a session can subscribe to \(SessionMachine.resourceLimit) resources at most")
        }
        session.wake(0)
        return .empty
    }

    func unsubscribe(_ params: RawJSON, _ session: Session) throws(JSONRPCError) -> MCPResult {
        let uri = try uri(params)
        if let resource = EnvelopeResource(uri) {
            let id = try subscribable(resource).envelopeID
            session.withMachine { $0.unsubscribe(envelope: id) }
        } else if session.withMachine({ $0.unsubscribe(document: uri) }) == false {
            throw unknownResource(uri, session.version)
        }
        return .empty
    }

    private func subscribable(_ resource: EnvelopeResource) throws(JSONRPCError) -> EnvelopeResource {
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
            "there is no such resource; resources/list has those that there are, and envelopes are "
                + EnvelopeResource.prefix + "{id}", data: data)
    }
}

extension Resource {
    /// Tells it from all others.
    fileprivate var key: String { uri.source }

    fileprivate func write(as member: String, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member(member, key)
        writer.member("name", name)
        writer.member("title", title)
        writer.member("description", description)
        writer.member("mimeType", mimeType)
        writer.endObject()
    }
}
