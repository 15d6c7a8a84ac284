internal import Settings

/// How connections are taken.
struct ServerSettings: Sendable {
    /// `nil`: sidecars have no port of their own.
    var internalPort: Int?
    var tls: TLSFiles?
    var connectionLimit = 4000
    /// Bytes of a request's head.
    var headLimit = 32 << 10
    /// Of a request.
    var headerCountLimit = 100
    /// Bytes per second at which a body must come at least.
    var bodyRate = 240
    /// What every body gets, before its pace counts.
    var bodyPatience = Duration.seconds(10)

    init() {}

    init(_ settings: inout Settings) {
        if settings.text("GATEWAY_INTERNAL_PORT") != nil {
            internalPort = settings.integer("GATEWAY_INTERNAL_PORT", default: 0, in: 0...65535)
        }
        connectionLimit = settings.integer("GATEWAY_MAX_CONNECTIONS", default: connectionLimit, in: 1...1_000_000)
        headLimit = settings.integer("GATEWAY_MAX_HEAD", default: headLimit, in: 1024...(1 << 20))
        bodyRate = settings.integer("GATEWAY_MIN_BODY_RATE", default: bodyRate, in: 0...(1 << 30))
        let (certificate, key) = (settings.text("GATEWAY_TLS_CERT"), settings.text("GATEWAY_TLS_KEY"))
        if let certificate, let key {
            tls = TLSFiles(certificate: certificate, key: key)
        } else if certificate != nil || key != nil {
            settings.problem(
                certificate == nil ? "TROUPE_GATEWAY_TLS_CERT" : "TROUPE_GATEWAY_TLS_KEY",
                "is required: TLS needs a certificate and its key")
        }
    }
}
