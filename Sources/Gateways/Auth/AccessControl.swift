internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Telemetry

/// Stands before every endpoint: where the request comes from, who sends it, whether he may, and whether it is not too much.
struct AccessControl: Sendable {
    /// `nil`: nobody is asked who he is.
    let authenticator: Authenticator?
    /// What OAuth clients are told.
    let resource: ProtectedResource?
    private(set) var listener = Listener.all
    private(set) var origins: OriginCheck
    /// Requests per second of each caller that has no rate of its own; without authentication, of each address.
    let rate: Double?
    let streams: StreamLimiter
    let metrics: GatewayMetrics
    let logger: Logger
    private let limiter = RateLimiter()

    init(
        authenticator: Authenticator?, resource: ProtectedResource?, settings: AuthSettings, metrics: GatewayMetrics,
        logger: Logger
    ) {
        self.authenticator = authenticator
        self.resource = resource
        origins = settings.origins
        rate = settings.rate
        streams = StreamLimiter(
            limit: settings.streamLimit, callerLimit: settings.callerStreamLimit, gauge: metrics.streams)
        self.metrics = metrics
        self.logger = logger
    }

    /// The same for one of two ports.
    func on(_ listener: Listener) -> AccessControl {
        var control = self
        control.listener = listener
        // No page has any business there, and who has calls by whatever name or address.
        if listener == .inside { control.origins = OriginCheck(isLoopback: origins.isLoopback) }
        return control
    }

    /// - Parameter context: learns who asks.
    /// - Throws: `Problem`.
    func admit(_ request: Request, to endpoint: Endpoint, _ context: inout GatewayContext) async throws {
        if listener != .all, !endpoint.listeners.contains(listener) {
            throw Problem.misdirected(to: endpoint.listeners)
        }
        context.listener = listener
        let access = access(to: endpoint)
        // What is open tells nothing worth hiding, and probes call by any name.
        if access == .open { return }
        let host = request.head.authority ?? request.headers[.host]
        if let problem = origins.problem(origin: request.headers[.origin], host: host) { throw problem }
        context.principal = try await principal(request, access, context.peer)
        try limit(access, context)
    }

    /// Who gets at the port for monitoring may look at the metrics.
    private func access(to endpoint: Endpoint) -> Access {
        listener == .inside && endpoint.access == .scope(.read) ? .open : endpoint.access
    }

    private func principal(_ request: Request, _ access: Access, _ peer: String) async throws -> Principal {
        guard let authenticator else { return .anybody }
        let principal: Principal
        do throws(AuthFailure) {
            principal = try await authenticator.principal(of: request.headers)
        } catch {
            refused(error.reason, request, peer)
            throw error.problem(access)
        }
        if case .scope(let scope) = access, !principal.may(scope) {
            refused(.insufficientScope, request, peer, principal)
            throw Problem.insufficientScope(scope)
        }
        return principal
    }

    /// Sidecars' reports are not limited: they come from work that was let in.
    private func limit(_ access: Access, _ context: GatewayContext) throws(Problem) {
        guard access != .scope(.internal), let rate = context.principal.rate ?? rate else { return }
        try limiter.admit(context.principal.id ?? "peer:\(context.peer)", rate: rate)
    }

    private func refused(
        _ reason: AuthFailure.Reason, _ request: Request, _ peer: String, _ principal: Principal? = nil
    ) {
        metrics.authFailures(reason).increment()
        var metadata: Logger.Metadata = [
            "reason": "\(reason.rawValue)", "method": "\(request.method.rawValue)",
            "path": "\(request.uri.path.prefix(300))", "peer": "\(peer)",
        ]
        if let id = principal?.id { metadata["principal"] = "\(id)" }
        logger.notice("request refused", metadata: metadata)
    }
}
