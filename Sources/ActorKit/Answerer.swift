/// From the bytes of a request to the bytes of its reply. Never fails: what goes wrong is an error reply.
struct Answerer: Sendable {
    /// The elements of the reply's array.
    typealias Call = @Sendable (LooseEnvelope, Context) async throws -> [RawJSON]

    let settings: ActorSettings
    let mode: HandlerMode
    let log: Log
    let call: Call

    init(settings: ActorSettings, mode: HandlerMode, log: Log, call: @escaping Call) {
        self.settings = settings
        self.mode = mode
        self.log = log
        self.call = call
    }

    /// - Parameter emitter: takes what the handler emits; `nil` where nobody wants it.
    func answer(_ frame: [UInt8], _ emitter: Emitter? = nil) async -> [UInt8] {
        let request: LooseEnvelope
        do throws(EnvelopeProblem) {
            request = try LooseEnvelope(frame: frame, limits: settings.jsonLimits)
            try request.check(settings.validates ? .everything : mode == .payload ? .payloadAndRoute : .nothing)
        } catch {
            return refusal(error)
        }
        let context = Context(request, logLevel: settings.logLevel) { emitter?.emit($0) }
        defer { if Task.isCancelled { context.log.info("cancelled, the sidecar has closed the connection") } }
        do {
            let results = try await call(request, context)
            if mode == .envelope && settings.validates { try check(results, after: request) }
            return try reply(results)
        } catch {
            let details = ErrorDetails(error)
            if !Task.isCancelled {
                context.log.warning("handler failed", ["error": details.message, "type": details.type])
            }
            return errorReply("processing_error", details)
        }
    }

    /// The reply to what is no request.
    func refusal(_ error: any Error) -> [UInt8] {
        let details = ErrorDetails(error)
        log.warning("request refused", ["error": details.message])
        return errorReply("msg_parsing_error", details)
    }

    private func check(_ results: [RawJSON], after request: LooseEnvelope) throws(HandlerError) {
        for (index, result) in results.enumerated() {
            do throws(EnvelopeProblem) {
                try LooseEnvelope(result).check(after: request)
            } catch {
                throw HandlerError(
                    type: "InvalidOutput", "Invalid output envelope[\(index)/\(results.count)]: \(error)")
            }
        }
    }

    private func reply(_ elements: [RawJSON]) throws(HandlerError) -> [UInt8] {
        var writer = JSONWriter(capacity: elements.reduce(2) { $0 + $1.bytes.count + 1 })
        writer.beginArray()
        for element in elements { writer.append(element) }
        writer.endArray()
        let (count, limit) = (writer.bytes.count, settings.maximumMessageBytes)
        guard count <= limit else {
            let message = "the reply has \(count) bytes, more than TROUPE_MAX_MESSAGE_BYTES (\(limit))"
            throw HandlerError(type: "ReplyTooLarge", message)
        }
        return writer.bytes
    }

    /// An error must get through: where it is too large itself, without its traceback and the end of its message.
    private func errorReply(_ code: String, _ details: ErrorDetails) -> [UInt8] {
        let whole = encoded(code, details)
        guard whole.count > settings.maximumMessageBytes else { return whole }
        var short = details
        short.message = String(details.message.prefix(settings.maximumMessageBytes / 16))
        short.traceback = ""
        return encoded(code, short)
    }

    private func encoded(_ code: String, _ details: ErrorDetails) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginArray()
        writer.beginObject()
        writer.name("error")
        writer.append(string: code)
        writer.name("details")
        writer.beginObject()
        for (name, value) in [("message", details.message), ("type", details.type), ("traceback", details.traceback)] {
            writer.name(name)
            writer.append(string: value)
        }
        writer.endObject()
        writer.endObject()
        writer.endArray()
        return writer.bytes
    }
}
