internal import Envelopes
internal import EventLoops
internal import HTTPTypes
internal import Hummingbird

extension GatewayRouter {
    var envelopeEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get, path: "/envelopes", name: "listEnvelopes", access: .scope(.read),
                summary: "List envelopes, the newest first, without payloads and results",
                details: "Pages stay as they are while new envelopes come in.",
                parameters: [
                    .init(name: "status", schema: .named("Status"), text: "Where they stand"),
                    .init(name: "actor", schema: .name, text: "At which actor they are, or have ended"),
                    .init(name: "tool", schema: .name, text: "By which tool they were submitted"),
                    .init(name: "parent", schema: .name, text: "Out of which envelope's fan-out they came"),
                    .init(name: "since", schema: .time, text: "Created then or later"),
                    .init(name: "before", schema: .time, text: "Created earlier than that"),
                    .init(
                        name: "order", schema: #"{"enum":["desc","asc"]}"#,
                        text: "asc: the oldest first; so are children"),
                    .init(name: "limit", schema: .integer(1...1000, default: 100), text: "At most so many"),
                    .init(name: "cursor", schema: .name, text: "The next page: next_cursor of the one before"),
                ], answers: [.init(status: .ok, text: "A page", schema: .named("EnvelopeList"))],
                errors: [.invalidRequest, .invalidCursor], handler: listEnvelopes),
            Endpoint(
                method: .get, path: "/envelopes/{id}", name: "getEnvelope", access: .scope(.read),
                summary: "What is known of an envelope, with the steps it has taken and how its children do",
                answers: [.init(status: .ok, text: "The envelope", schema: .named("Envelope"))],
                errors: [.unknownEnvelope], handler: getEnvelope),
            Endpoint(
                method: .get, path: "/envelopes/{id}/history", name: "getHistory", access: .scope(.read),
                summary: "All that has been told of an envelope, in order",
                parameters: [
                    .init(
                        name: "after", schema: .integer(0...Int.max >> 10, default: 0),
                        text: "Only updates behind the one of that number"),
                    .init(name: "limit", schema: .integer(1...1000, default: 100), text: "At most so many"),
                ], answers: [.init(status: .ok, text: "A page", schema: .named("UpdateList"))],
                errors: [.unknownEnvelope, .invalidRequest], handler: getHistory),
            Endpoint(
                method: .get, path: "/envelopes/{id}/result", name: "getResult", access: .scope(.read),
                summary: "The result, byte for byte as the last handler returned it",
                parameters: [
                    .init(
                        name: "wait", schema: #"{"type":"string","pattern":"^([1-9]|[1-5][0-9]|60)s$"}"#,
                        text: "Waits so long for the end, a minute at most")
                ], answers: [.init(status: .ok, text: "Any JSON", schema: "true")],
                errors: [.unknownEnvelope, .notEnded, .noResult, .invalidRequest], handler: getResult),
            Endpoint(
                method: .get, path: "/envelopes/{id}/active", name: "isActive", access: .known,
                summary: "Whether it is worth while to work on an envelope",
                answers: [
                    .init(status: .ok, text: "It is", schema: Self.activity),
                    .init(status: .gone, text: "It has ended, is past its deadline, or unknown", schema: Self.activity),
                ], listeners: [.outside, .inside], handler: isActive),
        ]
    }

    private static let activity: Schema =
        #"{"type":"object","required":["active"],"properties":{"active":{"type":"boolean"}}}"#

    /// `GET /envelopes/{id}`
    func getEnvelope(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        guard let envelope = try await store.envelope(id) else { throw unknownEnvelope(id) }
        return try await response(envelope)
    }

    /// An envelope with its steps and children.
    func response(_ envelope: EnvelopeRecord, status: HTTPResponse.Status = .ok) async throws -> Response {
        let steps = EnvelopeSteps(try await store.stepUpdates(of: envelope.id, limit: Self.stepUpdateLimit)).steps
        let children = try await store.childCounts(of: envelope.id, limit: Self.childCountLimit)
        return Response(status: status) { writer in
            writer.beginObject()
            envelope.writeMembers(to: &writer, withBodies: true)
            writer.name("steps")
            writer.beginArray()
            for step in steps { step.write(to: &writer) }
            writer.endArray()
            writer.name("children")
            writer.beginObject()
            for (status, count) in children { writer.member(status, number: Double(count)) }
            writer.endObject()
            writer.endObject()
        }
    }

    /// Of a route that leads back for ever, the last ones.
    private static let stepUpdateLimit = 600
    private static let childCountLimit = 10_000

    /// `GET /envelopes?status=&actor=&tool=&parent=&since=&before=&order=&limit=&cursor=`
    func listEnvelopes(_ request: Request, _ context: Context) async throws -> Response {
        let query = try QueryParameters(
            request,
            known: ["status", "actor", "tool", "parent", "since", "before", "order", "limit", "cursor"])
        var filter = EnvelopeFilter()
        filter.status = try query.choice("status")
        filter.actor = try query.text("actor")
        filter.tool = try query.text("tool")
        filter.parentID = try query.text("parent")
        filter.since = try query.time("since")
        filter.before = try query.time("before")
        let order: Order? = try query.choice("order")
        filter.isAscending = order.map { $0 == .asc } ?? (filter.parentID != nil)
        let limit = try query.integer("limit", in: 1...1000, default: 100)
        var place: EnvelopePlace?
        if let cursor = try query.text("cursor") {
            place = EnvelopePlace(cursor: cursor)
            guard place != nil else { throw Problem(.invalidCursor, "'cursor' is none that this list has given") }
        }
        let page = try await store.envelopes(filter, after: place, limit: limit)
        return Response { writer in
            writer.beginObject()
            writer.member("envelopes", page)
            writer.member("next_cursor", EnvelopePlace.next(after: page, limit: limit))
            writer.endObject()
        }
    }

    private enum Order: String, CaseIterable { case desc, asc }

    /// `GET /envelopes/{id}/history?after=&limit=`
    func getHistory(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        let query = try QueryParameters(request, known: ["after", "limit"])
        let after = try query.integer("after", in: 0...Int.max >> 10, default: 0)
        let limit = try query.integer("limit", in: 1...1000, default: 100)
        guard let page = try await store.updates(of: id, after: Int64(after), limit: limit) else {
            throw unknownEnvelope(id)
        }
        return Response { writer in
            writer.beginObject()
            writer.name("updates")
            writer.beginArray()
            for update in page.updates {
                writer.beginObject()
                writer.member("number", number: Double(update.id))
                update.writeMembers(to: &writer)
                writer.endObject()
            }
            writer.endArray()
            writer.member("next_after", number: page.isFull ? page.updates.last.map { Double($0.id) } : nil)
            writer.endObject()
        }
    }

    /// `GET /envelopes/{id}/result?wait=`
    func getResult(_ request: Request, _ context: Context) async throws -> Response {
        let id = try reading.envelopeID(context)
        let query = try QueryParameters(request, known: ["wait"])
        let limit = try query.duration("wait", in: .zero ... .seconds(60), default: .zero)
        let envelope = limit > .zero ? try await end(of: id, within: limit) : try await store.envelope(id)
        guard let envelope else { throw unknownEnvelope(id) }
        guard envelope.status.isFinal else {
            throw Problem(
                .notEnded, "envelope '\(id)' is \(envelope.status.rawValue): \(envelope.message)", retryAfter: 1)
        }
        guard envelope.status == .succeeded else {
            throw Problem(
                .noResult, "envelope '\(id)' has \(envelope.status.rawValue): \(envelope.error ?? envelope.message)")
        }
        return Response(json: envelope.result ?? Array("null".utf8))
    }

    /// The envelope when it has ended, or as it is when the time is over.
    private func end(of id: String, within limit: Duration) async throws -> EnvelopeRecord? {
        // Woken before it is read for the first time, so that nothing falls between.
        let wakeUps = hub.wakeUps(for: [id])
        let timer = Task {
            try await Task.sleep(for: limit)
            wakeUps.bell.finish()
        }
        defer { timer.cancel() }
        var iterator = wakeUps.stream.makeAsyncIterator()
        var envelope = try await store.envelope(id)
        while envelope?.status.isFinal == false, await iterator.next() != nil {
            if wakeUps.takeNews() { envelope = try await store.envelope(id) }
        }
        return envelope
    }

    /// `GET /envelopes/{id}/active`
    func isActive(_ request: Request, _ context: Context) async throws -> Response {
        // What can't be an id is unknown, and so not active.
        let id = try? reading.envelopeID(context)
        let isActive = if let id { try await store.isActive(id) } else { false }
        return Response(status: isActive ? .ok : .gone) { writer in
            writer.beginObject()
            writer.name("active")
            writer.append(isActive)
            writer.endObject()
        }
    }

    func unknownEnvelope(_ id: String) -> Problem { Problem(.unknownEnvelope, "there is no envelope '\(id)'") }
}
