internal import HTTPTypes
internal import Hummingbird
internal import Telemetry
internal import Transports

extension GatewayRouter {
    var healthEndpoints: [Endpoint] {
        func healthEndpoint(_ method: HTTPRequest.Method, _ path: String, _ name: String) -> Endpoint {
            Endpoint(
                method: method, path: path, name: name, access: .open, summary: "Whether the process answers",
                answers: [Self.text(.ok, "It does", method)], listeners: [.outside, .inside], handler: health)
        }
        func readinessEndpoint(_ method: HTTPRequest.Method, _ name: String) -> Endpoint {
            Endpoint(
                method: method, path: "/readyz", name: name, access: .open,
                summary: "Whether the database and the broker can be reached",
                answers: [
                    Self.text(.ok, "They can", method), Self.text(.serviceUnavailable, "The reasons why not", method),
                ], listeners: [.outside, .inside], handler: readiness)
        }
        return [
            healthEndpoint(.get, "/health", "getHealth"), healthEndpoint(.head, "/health", "headHealth"),
            healthEndpoint(.get, "/healthz", "getHealthz"), healthEndpoint(.head, "/healthz", "headHealthz"),
            readinessEndpoint(.get, "getReadiness"), readinessEndpoint(.head, "headReadiness"),
            Endpoint(
                method: .get, path: "/metrics", name: "getMetrics", access: .scope(.read),
                summary: "Metrics, as Prometheus reads them", answers: [Self.text(.ok, "Prometheus text", .get)],
                listeners: [.outside, .inside], handler: metricsText),
        ]
    }

    private static func text(_ status: HTTPResponse.Status, _ text: String, _ method: HTTPRequest.Method)
        -> Endpoint.Answer
    {
        .init(
            status: status, text: text, type: "text/plain", schema: method == .head ? nil : .string)
    }

    /// `GET` and `HEAD /health`, `/healthz`: the process answers.
    func health(_ request: Request, _ context: Context) async throws -> Response {
        Response(text: "OK")
    }

    /// `GET /readyz`: 503 with the reasons while the database or the broker is away.
    func readiness(_ request: Request, _ context: Context) async throws -> Response {
        var reasons: [String] = []
        do throws(StoreError) {
            try await store.ping()
        } catch {
            reasons.append("database: \(error)")
        }
        if let impediment = await transport.impediment() { reasons.append("broker: \(impediment)") }
        return reasons.isEmpty
            ? Response(text: "OK") : Response(status: .serviceUnavailable, text: reasons.joined(separator: "\n") + "\n")
    }

    /// `GET /metrics`: Prometheus text.
    func metricsText(_ request: Request, _ context: Context) async throws -> Response {
        for (state, count) in await store.connections() { metrics.databaseConnections(state).set(count) }
        if let length = try? await store.outboxLength(within: outboxHorizon, upTo: .max) {
            metrics.outboxLength.set(length)
        }
        // Its numbers are up to a second old; without the database there are none.
        if let view = try? await board.view() {
            metrics.show(view, name: queues.name(of:))
        } else {
            metrics.forgetQueues()
        }
        var response = Response(text: metrics.registry.exposition() + ProcessMetrics.exposition())
        response.headers[.contentType] = "text/plain; version=0.0.4; charset=utf-8"
        return response
    }
}
