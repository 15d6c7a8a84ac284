/// An actor that gets the whole envelope and says where it goes next (`TROUPE_HANDLER_MODE=envelope`).
///
/// It moves the route itself (`envelope.route.current += 1`), and may add or replace steps to come. Steps that are
/// done, the actor's own among them, stay as they are: a reply that changes them is refused.
public protocol EnvelopeHandler: Sendable {
    /// Called once, before the actor says that it is ready.
    init() async throws

    /// - Returns: where the work goes on: one envelope, several, or none (the route ends here).
    func handle(_ envelope: Envelope, _ context: Context) async throws -> [Envelope]
}

extension EnvelopeHandler {
    /// Serves the sidecar until SIGTERM, then exits.
    public static func main() async {
        await ActorProcess.run(.envelope) {
            try await LoadedHandler(Self())
        }
    }
}

/// As `EnvelopeHandler`, with envelopes as JSON text: what it does not touch keeps every byte.
public protocol RawEnvelopeHandler: Sendable {
    /// Called once, before the actor says that it is ready.
    init() async throws

    /// - Parameter envelope: a JSON object, byte for byte as it came.
    func handle(_ envelope: RawJSON, _ context: Context) async throws -> [RawJSON]
}

extension RawEnvelopeHandler {
    /// Serves the sidecar until SIGTERM, then exits.
    public static func main() async {
        await ActorProcess.run(.envelope) {
            try await LoadedHandler(Self())
        }
    }
}

extension Envelope {
    /// Route and headers must be of the right types, whatever the validation setting says: this type holds no others.
    init(_ request: LooseEnvelope) throws(EnvelopeProblem) {
        try request.check(.everything)
        guard let payload = request.payload else { throw EnvelopeProblem.missingPayload }
        self.init(
            id: request.id ?? "", parentID: request.parentID, route: request.looseRoute, headers: request.looseHeaders,
            payload: payload, unknown: request.unknown)
    }

    /// What came without an id goes back without one.
    var asReply: RawJSON {
        RawJSON { element in
            element.beginObject()
            for (name, value) in [("id", id.isEmpty ? nil : id), ("parent_id", parentID)] {
                guard let value else { continue }
                element.name(name)
                element.append(string: value)
            }
            element.name("payload")
            element.append(payload)
            element.name("route")
            route.write(to: &element)
            if let headers = headers.json {
                element.name("headers")
                element.append(headers)
            }
            for member in unknown { element.append(member) }
            element.endObject()
        }
    }
}
