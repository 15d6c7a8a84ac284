internal import Envelopes
internal import EventLoops
internal import Hummingbird
internal import NIOCore
internal import PostgreSQL

/// Streams of what nobody has asked for just now: tools that have changed, envelopes that have moved.
extension MCPServer {
    /// A session's own stream.
    /// - Parameter place: the message after which it goes on.
    func listen(
        _ session: Session, after place: Int64?, _ request: Request, _ slot: StreamSlot
    ) -> Response {
        response(request, slot, isEventStream: true) { writer in
            let wakeUps = gateway.hub.wakeUps(for: [])
            let hold = session.hold(0, wakeUps.wake)
            defer { session.release(hold) }
            let begin = session.withMachine { $0.sent(after: place ?? .max) }
            if session.version == .november2025, begin.isEmpty {
                let id = SessionMachine.EventID(stream: 0, place: place ?? session.withMachine { $0.lastPlace })
                try await writer.write(.priming(id.description))
            }
            for message in begin {
                try await writer.write(.message(message.json, id: message.eventID.description))
            }
            _ = try await look(wakeUps, unless: { !session.isHeld(hold) }, &writer) { lastUpdates, toolsVersion in
                session.withMachine { machine in
                    machine.look(lastUpdates: lastUpdates, toolsVersion: toolsVersion).compactMap { change in
                        Self.notification(change, meta: nil).map { machine.send($0) }
                    }
                }.map { .message($0.json, id: $0.eventID.description) }
            } envelopeIDs: {
                session.withMachine(\.watch.envelopeIDs)
            }
        }
    }

    /// `subscriptions/listen`
    func listen(_ watch: ChangeWatch, _ id: RawJSON, _ request: Request, _ slot: StreamSlot) -> Response {
        response(request, slot, isEventStream: true) { writer in
            let meta = RawJSON.Member(name: RequestMeta.Key.subscriptionID, value: id)
            let wakeUps = gateway.hub.wakeUps(for: watch.envelopeIDs)
            try await writer.write(.message(Self.acknowledgement(watch, meta), id: nil))
            var watch = watch
            let isStopped = try await look(wakeUps, unless: { false }, &writer) { lastUpdates, toolsVersion in
                var messages: [ByteBuffer] = []
                for change in watch.look(lastUpdates: lastUpdates, toolsVersion: toolsVersion) {
                    if case .task(let id) = change, let notification = try await taskNotification(id, meta) {
                        messages.append(.message(notification, id: nil))
                    } else if let notification = Self.notification(change, meta: meta) {
                        messages.append(.message(notification, id: nil))
                    }
                }
                return messages
            } envelopeIDs: {
                watch.envelopeIDs
            }
            guard isStopped else { return }
            let result = MCPResult(meta: [meta]) { _ in }
            try await writer.write(.message(JSONRPC.response(id, result.json(.july2026)), id: nil))
        }
    }

    /// What a client asks to hear of, as far as there is such news.
    func watch(_ params: RawJSON, _ caller: Caller) async throws -> ChangeWatch {
        guard let filter = params["notifications"], filter.kind == .object else {
            throw JSONRPCError(.invalidParams, "'notifications' must be an object")
        }
        var watch = ChangeWatch()
        if filter["toolsListChanged"]?.boolean == true { watch.toolsVersion = gateway.catalogue.version }
        let uris = try Self.texts(filter["resourceSubscriptions"], "resourceSubscriptions")
        let resources = uris.compactMap(EnvelopeResource.init).filter { !$0.isHistory }.map(\.envelopeID)
        if !resources.isEmpty { try caller.principal.require(.read) }
        let taskIDs = try Self.texts(filter["taskIds"], "taskIds").filter {
            EnvelopeID.isAcceptable($0, lengthLimit: EnvelopeID.childLengthLimit)
        }
        let tasks = try await gateway.store.envelopes(taskIDs).map(TaskState.init).filter(caller.maySee)
            .map(\.envelope.id)
        let last = try await gateway.store.lastUpdates(of: Set(resources + tasks))
        // One that isn't there yet is news when it comes.
        for id in resources { watch.addResource(id, last: last[id] ?? 0) }
        for id in tasks { watch.addTask(id, last: last[id] ?? 0) }
        return watch
    }

    private static func texts(_ json: RawJSON?, _ name: String) throws(JSONRPCError) -> [String] {
        guard let json, json.kind != .null else { return [] }
        let elements = json.elements
        let texts = elements.compactMap(\.string)
        guard json.kind == .array, texts.count == elements.count, texts.count <= SessionMachine.resourceLimit else {
            throw JSONRPCError(
                .invalidParams, "'\(name)' must be a list of at most \(SessionMachine.resourceLimit) strings")
        }
        return texts
    }

    // MARK: The loop

    /// Looks at each wake-up, and writes what is new.
    /// - Returns: whether it ended because the gateway stops.
    private func look(
        _ wakeUps: WakeUps, unless isOver: () -> Bool, _ writer: inout any ResponseBodyWriter,
        news: ([String: Int64], Int) async throws -> [ByteBuffer], envelopeIDs: () -> Set<String>
    ) async throws -> Bool {
        let quietLimit = gateway.follower.quietLimit
        var lastSent = MonotonicTime.now
        var iterator = wakeUps.stream.makeAsyncIterator()
        repeat {
            if isOver() { return false }
            let ids = envelopeIDs()
            gateway.hub.change(wakeUps, to: ids)
            var messages: [ByteBuffer] = []
            do {
                messages = try await news(gateway.store.lastUpdates(of: ids), gateway.catalogue.version)
            } catch let error as PostgreSQLError where error.isRetryable {
                // The next wake-up finds what this one did not.
            }
            if messages.isEmpty, lastSent.duration(to: .now) >= quietLimit {
                messages = [ByteBuffer(bytes: ServerSentEvent.keepAlive)]
            }
            for message in messages {
                try await writer.write(message)
                lastSent = .now
            }
            try Task.checkCancellation()
        } while await iterator.next() != nil
        return true
    }

    // MARK: Messages

    private static func notification(_ change: ChangeWatch.Change, meta: RawJSON.Member?) -> RawJSON? {
        switch change {
        case .tools: JSONRPC.notification("notifications/tools/list_changed") { write(meta, to: &$0) }
        case .resource(let id):
            JSONRPC.notification("notifications/resources/updated") { writer in
                writer.member("uri", EnvelopeResource.uri(id))
                write(meta, to: &writer)
            }
        case .task: nil
        }
    }

    private func taskNotification(_ id: String, _ meta: RawJSON.Member) async throws -> RawJSON? {
        guard let envelope = try await gateway.store.envelope(id) else { return nil }
        return JSONRPC.notification("notifications/tasks") { writer in
            TaskState(envelope: envelope).writeDetails(to: &writer, .july2026)
            Self.write(meta, to: &writer)
        }
    }

    private static func acknowledgement(_ watch: ChangeWatch, _ meta: RawJSON.Member) -> RawJSON {
        JSONRPC.notification("notifications/subscriptions/acknowledged") { writer in
            writer.name("notifications")
            writer.beginObject()
            if watch.toolsVersion != nil {
                writer.name("toolsListChanged")
                writer.append(true)
            }
            write("resourceSubscriptions", watch.resources.keys.sorted().map(EnvelopeResource.uri), to: &writer)
            write("taskIds", watch.tasks.keys.sorted(), to: &writer)
            writer.endObject()
            write(meta, to: &writer)
        }
    }

    private static func write(_ name: String, _ texts: [String], to writer: inout JSONWriter) {
        guard !texts.isEmpty else { return }
        writer.name(name)
        writer.append(strings: texts)
    }

    private static func write(_ meta: RawJSON.Member?, to writer: inout JSONWriter) {
        guard let meta else { return }
        writer.name("_meta")
        writer.append(RawJSON(object: [meta]))
    }
}
