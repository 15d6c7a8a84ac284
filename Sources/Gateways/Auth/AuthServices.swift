internal import EventLoops
internal import HTTPClient
internal import Logging

/// What settings make of authentication, and what keeps it up to date.
struct AuthServices: Sendable {
    let access: AccessControl
    private let keys: LiveFile<APIKeyTable>?
    private let signingKeys: KeySetSource?

    /// - Parameter keys: as their file says at the start.
    init(
        _ settings: AuthSettings, _ keys: APIKeyTable?, _ metrics: GatewayMetrics, on loop: EventLoop, logger: Logger
    ) {
        self.keys = keys.map { keys in
            LiveFile("API keys", keys, logger: logger, read: settings.keysPath.map(APIKeyFileReader.reader))
        }
        signingKeys = settings.tokens.map { tokens in
            KeySetSource(tokens.keys, HTTPClient(on: loop), refresh: tokens.refresh, logger: logger)
        }
        var verifier: TokenVerifier?
        if let signingKeys, let tokens = settings.tokens {
            verifier = TokenVerifier(source: signingKeys, policy: tokens.policy)
        }
        access = AccessControl(
            authenticator: settings.isOn ? Authenticator(keys: self.keys, tokens: verifier) : nil,
            resource: settings.tokens?.resource, settings: settings, metrics: metrics, logger: logger)
    }

    /// - Throws: `GatewayStartError` when a file of signing keys is wrong. An issuer that is away may come back.
    func prepare() async throws(GatewayStartError) {
        guard let signingKeys, case .file = signingKeys.place else { return }
        do throws(KeySet.Mistake) { try await signingKeys.load() } catch {
            throw GatewayStartError(.configuration, "TROUPE_JWKS: \(error)")
        }
    }

    /// Until the task is cancelled.
    /// - Parameter interval: between two looks at the keys' file.
    func run(reload interval: Duration) async {
        await withDiscardingTaskGroup { group in
            if let keys { group.addTask { await keys.run(interval: interval) } }
            if let signingKeys { group.addTask { await signingKeys.run() } }
        }
    }
}
