/// An actor that gets and returns payloads as JSON text: nothing is decoded, every byte is kept.
///
/// What it returns: one payload, several (each becomes an envelope of its own), or none (the route ends here).
public protocol RawHandler: Sendable {
    /// Called once, before the actor says that it is ready.
    init() async throws

    func handle(_ payload: RawJSON, _ context: Context) async throws -> [RawJSON]
}

extension RawHandler {
    /// Serves the sidecar until SIGTERM, then exits.
    public static func main() async {
        await ActorProcess.run(.payload) {
            try await LoadedHandler(Self())
        }
    }
}

/// The reply to a call in payload mode: each result with the request's headers and its route, one step on.
func payloadAnswer(
    _ handle: @escaping @Sendable (RawJSON, Context) async throws -> [RawJSON]
) -> Answerer.Call {
    { request, context in
        guard let payload = request.payload else { throw EnvelopeProblem.missingPayload }
        let results = try await handle(payload, context)
        let route = request.advancedRoute
        return results.map { result in
            RawJSON { element in
                element.beginObject()
                element.name("payload")
                element.append(result)
                element.name("route")
                element.append(route)
                if let headers = request.headers {
                    element.name("headers")
                    element.append(headers)
                }
                element.endObject()
            }
        }
    }
}
