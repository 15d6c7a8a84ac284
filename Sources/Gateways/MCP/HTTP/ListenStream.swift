internal import Envelopes
internal import EventLoops
internal import Hummingbird
internal import NIOCore

/// Streams of what nobody has asked for just now: tools that have changed, envelopes that have moved.
extension MCPServer {
    /// A session's own stream.
    /// - Parameter place: the message after which it goes on.
    func listen(
        _ session: Session, after place: Int64?, _ request: Request, _ slot: StreamSlot
    ) -> Response {
        response(request, slot, isEventStream: true) { writer in
            let wakeUps = gateway.hub.wakeUps(for: [])
            let hold = session.hold(0, wakeUps.bell)
            defer { session.release(hold) }
            let begin = session.withMachine { $0.sent(after: place ?? .max) }
            if session.version == .november2025, begin.isEmpty {
                let id = SessionMachine.EventID(stream: 0, place: place ?? session.withMachine { $0.lastPlace })
                try await writer.write(.priming(id.description))
            }
            for message in begin {
                try await writer.write(.message(message.json, id: message.eventID.description))
            }
            _ = try await look(wakeUps, unless: { !session.isHeld(hold) }, &writer) { lastChanges in
                // Read before the machine takes note of them: if that fails, they are news still.
                let tasks = try await tasks(session.withMachine { $0.watch.movedTasks(lastChanges) })
                return session.withMachine { machine in
                    machine.look(lastChanges: lastChanges, catalogue: gateway.tools).compactMap { change in
                        if case .task(let id) = change, tasks[id]?.envelope.status.isFinal != false {
                            machine.unwatch(task: id)
                        }
                        return Self.notification(change, tasks, session.version).map { machine.send($0) }
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
            let isStopped = try await look(wakeUps, unless: { false }, &writer) { lastChanges in
                let tasks = try await tasks(watch.movedTasks(lastChanges))
                return watch.look(lastChanges: lastChanges, catalogue: gateway.tools).compactMap { change in
                    Self.notification(change, tasks, .july2026, meta).map { .message($0, id: nil) }
                }
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
        let lists = ChangeWatch.List.allCases.filter { filter["\($0.rawValue)ListChanged"]?.boolean == true }
        let uris = try Self.texts(filter["resourceSubscriptions"], "resourceSubscriptions")
        if !uris.isEmpty { try caller.principal.require(.read) }
        let tasks = try Self.texts(filter["taskIds"], "taskIds")
        if !tasks.isEmpty { try caller.requireTasks() }
        var watch = ChangeWatch(lists: Set(lists), gateway.tools)
        let envelopes = uris.compactMap(EnvelopeResource.init).filter { !$0.isHistory }.map(\.envelopeID)
        let acceptable = tasks.filter { EnvelopeID.isAcceptable($0, lengthLimit: EnvelopeID.childLengthLimit) }
        let taskIDs = try await gateway.store.results(of: acceptable).filter(caller.maySee).map(\.id)
        let last = try await gateway.store.lastChanges(of: Set(envelopes + taskIDs))
        // One that isn't there yet is news when it comes.
        for id in envelopes { watch.add(.envelope(id, last: last[id] ?? 0)) }
        for id in taskIDs { watch.add(task: id, last: last[id] ?? 0) }
        for uri in uris where gateway.tools.resource(at: uri) != nil { watch.add(.document(uri)) }
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
        news: ([String: Int64]) async throws -> [ByteBuffer], envelopeIDs: () -> Set<String>
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
                messages = try await news(gateway.store.lastChanges(of: ids))
            } catch let error as StoreError where error.isRetryable {
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

    /// - Parameter tasks: those that have moved.
    /// - Returns: `nil` for a task that isn't there any more.
    private static func notification(
        _ change: ChangeWatch.Change, _ tasks: [String: TaskState], _ version: ProtocolVersion,
        _ meta: RawJSON.Member? = nil
    ) -> RawJSON? {
        switch change {
        case .list(let list):
            JSONRPC.notification("notifications/\(list.rawValue)/list_changed") { write(meta, to: &$0) }
        case .resource(let uri):
            JSONRPC.notification("notifications/resources/updated") { writer in
                writer.member("uri", uri)
                write(meta, to: &writer)
            }
        case .task(let id):
            tasks[id].map { task in
                JSONRPC.notification(version.isStateless ? "notifications/tasks" : "notifications/tasks/status") {
                    writer in
                    task.write(to: &writer, version)
                    write(meta, to: &writer)
                }
            }
        }
    }

    private static func acknowledgement(_ watch: ChangeWatch, _ meta: RawJSON.Member) -> RawJSON {
        JSONRPC.notification("notifications/subscriptions/acknowledged") { writer in
            writer.name("notifications")
            writer.beginObject()
            for list in ChangeWatch.List.allCases where watch.lists.contains(list) {
                writer.name("\(list.rawValue)ListChanged")
                writer.append(true)
            }
            write("resourceSubscriptions", watch.uris, to: &writer)
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
