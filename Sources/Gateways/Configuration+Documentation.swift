extension Configuration {
    /// One row of the gateway's table in `docs/settings.md`.
    struct Documented: Sendable, Hashable {
        var name: String
        var fallback: String
        var meaning: String
    }

    /// Every setting that `init(_:)` reads, in its order. A test compares it with the page and with the code.
    static let documentation: [Documented] = [
        .init(
            name: "GATEWAY_HOST", fallback: "127.0.0.1",
            meaning:
                "Address to listen on. There is no authentication yet: use another than loopback behind a proxy only."),
        .init(name: "GATEWAY_PORT", fallback: "8080", meaning: "Port, 0...65535; 0 takes a free one."),
        .init(
            name: "DATABASE_URL", fallback: "required",
            meaning:
                "PostgreSQL, `postgresql://user:password@host:5432/database?sslmode=...` or libpq's `keyword=value` form."
        ),
        .init(name: "DATABASE_POOL_SIZE", fallback: "10", meaning: "Connections at most, 1...1000; one more listens."),
        .init(
            name: "DATABASE_CONNECT_TIMEOUT", fallback: "5s", meaning: "For the making of a connection, 100ms...300s."),
        .init(
            name: "DATABASE_STATEMENT_TIMEOUT", fallback: "30s",
            meaning: "The server ends a statement that takes longer, 100ms...1h. Not sent when the URL has `options`."),
        .init(
            name: "DATABASE_PREPARED_STATEMENTS", fallback: "true",
            meaning: "Set to `false` behind a pooler that hands out connections by transaction (PgBouncer)."),
        .init(
            name: "CONFIG_PATH", fallback: "none",
            meaning: "Tools: a YAML file, or a folder of `.yaml` and `.yml` files."),
        .init(
            name: "GATEWAY_MAX_BODY", fallback: "16777216",
            meaning: "Bytes of a request's body at most, 1024...1073741824."),
        .init(
            name: "GATEWAY_MAX_NESTING", fallback: "512", meaning: "Levels of objects and arrays in a body, 1...4096."),
        .init(
            name: "GATEWAY_IDLE_TIMEOUT", fallback: "75s",
            meaning: "A connection without a request, or whose request comes no further, is closed after this, 1s...1h."
        ),
        .init(
            name: "GATEWAY_KEEPALIVE", fallback: "15s",
            meaning: "Longest silence of an event stream before a comment is sent, 100ms...1h."),
        .init(
            name: "GATEWAY_STREAM_POLL", fallback: "5s",
            meaning:
                "How often event streams look for updates even without a notification, 100ms...1h; at least twice a keep-alive."
        ),
        .init(
            name: "GATEWAY_PUBLISH_TIMEOUT", fallback: "10s",
            meaning: "Wait for the broker's confirm, 100ms...300s; shorter than the grace."),
        .init(
            name: "GATEWAY_OUTBOX_GRACE", fallback: "15s",
            meaning:
                "After this, a message that nobody has seen confirmed is sent by whichever gateway finds it, 100ms...1h."
        ),
        .init(
            name: "GATEWAY_OUTBOX_INTERVAL", fallback: "1s",
            meaning: "How often the outbox is searched for such messages, 10ms...300s."),
        .init(
            name: "GATEWAY_REPORT_PREFETCH", fallback: "500",
            meaning: "Status reports that the broker hands out before the first is acknowledged, 1...2000."),
        .init(
            name: "GATEWAY_DRAIN_TIMEOUT", fallback: "20s",
            meaning: "After SIGTERM: time for requests, messages and reports under way, 100ms...1h."),
    ]

    /// The rows of the page.
    static var documentationRows: [String] {
        documentation.map { setting in
            let fallback = ["required", "none"].contains(setting.fallback) ? setting.fallback : "`\(setting.fallback)`"
            return "| `TROUPE_\(setting.name)` | \(fallback) | \(setting.meaning) |"
        }
    }
}
