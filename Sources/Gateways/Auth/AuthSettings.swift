internal import Settings

/// Who may do what, and how much of it.
struct AuthSettings: Sendable {
    /// A YAML file of API keys.
    var keysPath: String?
    var tokens: Tokens?
    var origins = OriginCheck(isLoopback: true)
    /// Requests per second.
    var rate: Double?
    var streamLimit = 1000
    var callerStreamLimit = 100

    struct Tokens: Sendable, Hashable {
        var keys: KeySetSource.Place
        var refresh: KeySetRefresh
        var resource: ProtectedResource
        var policy: TokenPolicy
    }

    var isOn: Bool { keysPath != nil || tokens != nil }

    init() {}

    init(_ settings: inout Settings, host: String) {
        keysPath = settings.text("API_KEYS_FILE")
        tokens = Self.tokens(&settings)
        rate = Self.rate(&settings)
        streamLimit = settings.integer("GATEWAY_MAX_STREAMS", default: streamLimit, in: 1...1_000_000)
        callerStreamLimit = settings.integer(
            "GATEWAY_STREAMS_PER_CALLER", default: callerStreamLimit, in: 1...1_000_000)
        origins = OriginCheck(
            origins: settings.list("GATEWAY_ORIGINS").map { $0.lowercased() },
            hosts: settings.list("GATEWAY_HOSTS").map { $0.lowercased() }, isLoopback: OriginCheck.isLoopback(host))
        for origin in origins.origins where origin != "*" && !origin.contains("://") {
            settings.problem(
                "TROUPE_GATEWAY_ORIGINS", "'\(origin)' is no origin: expected like https://example.com, or *")
        }
        let isInsecure = settings.flag("GATEWAY_INSECURE", default: false)
        if !isOn, !OriginCheck.isLoopback(host), !isInsecure {
            settings.problem(
                "TROUPE_GATEWAY_HOST",
                """
                '\(host)' can be reached from other machines, and anybody there could do anything: set \
                TROUPE_API_KEYS_FILE or TROUPE_JWKS to ask who it is, TROUPE_GATEWAY_HOST=127.0.0.1 to stay on this \
                machine, or TROUPE_GATEWAY_INSECURE=true if something else keeps strangers away
                """)
        }
    }

    private static func rate(_ settings: inout Settings) -> Double? {
        guard let text = settings.text("GATEWAY_RATE") else { return nil }
        guard let rate = Double(text), rate > 0, rate <= 1e6 else {
            settings.problem(
                "TROUPE_GATEWAY_RATE", "'\(text)' is no number of requests per second above 0, at most 1000000")
            return nil
        }
        return rate
    }

    private static func tokens(_ settings: inout Settings) -> Tokens? {
        let place = settings.text("JWKS")
        let issuers = settings.list("JWT_ISSUERS")
        var audiences = settings.list("JWT_AUDIENCES")
        let publicURL = settings.text("GATEWAY_PUBLIC_URL")
        let interval = settings.duration("JWKS_REFRESH", default: .seconds(900), in: .seconds(1)...(.seconds(86_400)))
        guard let place else { return nil }
        if issuers.isEmpty {
            settings.problem("TROUPE_JWT_ISSUERS", "is required beside TROUPE_JWKS: whose tokens count ('iss')")
        }
        var resource = ProtectedResource(publicURL: "", issuers: issuers)
        if let publicURL, isSecure(publicURL) {
            resource.publicURL = publicURL.hasSuffix("/") ? String(publicURL.dropLast()) : publicURL
        } else {
            settings.problem(
                "TROUPE_GATEWAY_PUBLIC_URL",
                "is required beside TROUPE_JWKS: the URL that clients use, beginning with https:// (http:// for loopback)"
            )
        }
        if audiences.isEmpty { audiences = resource.identifiers }
        var keys = KeySetSource.Place.file(place)
        if place.contains("://") {
            keys = .url(place)
            if !isSecure(place) {
                settings.problem(
                    "TROUPE_JWKS",
                    "must begin with https:// (http:// for loopback): who changes the keys can be anybody")
            }
        }
        return Tokens(
            keys: keys, refresh: KeySetRefresh(interval: interval), resource: resource,
            policy: TokenPolicy(issuers: issuers, audiences: audiences))
    }

    private static func isSecure(_ url: String) -> Bool {
        url.hasPrefix("https://")
            || url.hasPrefix("http://") && OriginCheck.isLoopback(OriginCheck.name(ofOrigin: url))
    }
}
