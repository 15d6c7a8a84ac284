/// What the environment says about how an actor serves its sidecar. The Python runtime reads the same names.
struct Settings: Sendable {
    /// `TROUPE_ENABLE_VALIDATION`: check envelopes before the handler, and what an envelope handler returns.
    var validates: Bool
    /// `TROUPE_CONCURRENCY`: calls at the same time.
    var concurrency: Int
    /// `TROUPE_SOCKET_DIR`, where the readiness file goes too.
    var folder: String
    /// `TROUPE_SOCKET_NAME`
    var socketName: String
    /// `TROUPE_SOCKET_CHMOD`; `nil` leaves what the umask gives.
    var socketMode: UInt32?
    /// `TROUPE_MAX_MESSAGE_BYTES`: largest request and reply.
    var maximumMessageBytes: Int
    /// `TROUPE_MAX_NESTING`: deepest request.
    var maximumNesting: Int
    /// `TROUPE_CHUNK_SIZE`: most bytes read at once.
    var chunkSize: Int
    /// `TROUPE_LOG_LEVEL`
    var logLevel: Log.Level

    static let readyFile = "runtime-ready"

    var socketPath: String { folder + "/" + socketName }
    var readyPath: String { folder + "/" + Self.readyFile }
    var jsonLimits: JSONLimits { JSONLimits(size: maximumMessageBytes, nesting: maximumNesting) }
}

extension Settings {
    /// - Throws: `StartError` that names the variable, its value and what was expected.
    init(_ environment: Environment, mode: HandlerMode) throws(StartError) {
        try Self.checkFit(environment, mode: mode)
        validates = try environment.flag("ENABLE_VALIDATION", default: true)
        concurrency = try environment.number("CONCURRENCY", default: 1, in: 1...1024)
        folder = try environment.text("SOCKET_DIR", expected: "a folder") ?? "/var/run/troupe"
        // A path that ends in "/" would only look odd in messages.
        while folder.count > 1 && folder.hasSuffix("/") { folder.removeLast() }
        let isOriginal = environment.variable(of: "SOCKET_DIR") == "ASYA_SOCKET_DIR"
        let name = try environment.text("SOCKET_NAME", expected: "a file name without '/', other than \(Self.readyFile)") {
            !$0.isEmpty && !$0.contains("/") && ![Self.readyFile, ".", ".."].contains($0)
        }
        socketName = name ?? (isOriginal ? "asya-runtime.sock" : "runtime.sock")
        socketMode = try Self.fileMode(environment)
        maximumMessageBytes = try environment.number(
            "MAX_MESSAGE_BYTES", default: 64 << 20, in: 1024...Int(UInt32.max))
        maximumNesting = try environment.number("MAX_NESTING", default: 512, in: 1...4096)
        chunkSize = try environment.number("CHUNK_SIZE", default: 65536, in: 1...(1 << 30))
        let levels = Log.Level.allCases.map(\.rawValue)
        logLevel = Log.Level(rawValue: try environment.choice("LOG_LEVEL", default: "INFO", of: levels)) ?? .info
    }

    /// In Swift the handler's type says what it is; a setting that says otherwise is a mistake in the deployment.
    private static func checkFit(_ environment: Environment, mode: HandlerMode) throws(StartError) {
        let wanted = try environment.choice("HANDLER_MODE", default: mode.rawValue, of: HandlerMode.allCases.map(\.rawValue))
        guard wanted == mode.rawValue else {
            throw environment.refusal(of: "HANDLER_MODE", expected: "\(mode.rawValue), which is what this handler's type is for")
        }
        let workers = try environment.choice("CONCURRENCY_MODE", default: "threads", of: ["threads", "processes"])
        guard workers == "threads" else {
            throw environment.refusal(of: "CONCURRENCY_MODE", expected: "threads: calls of a Swift handler share one process")
        }
    }

    private static func fileMode(_ environment: Environment) throws(StartError) -> UInt32? {
        let text = environment["SOCKET_CHMOD"] ?? "0660"
        if text.isEmpty { return nil }
        let digits = text.hasPrefix("0o") ? String(text.dropFirst(2)) : text
        guard (1...4).contains(digits.utf8.count), digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }),
            let mode = UInt32(digits, radix: 8), mode <= 0o777
        else {
            throw environment.refusal(
                of: "SOCKET_CHMOD", expected: "an octal file mode such as 0660, or nothing to leave the mode as it is")
        }
        return mode
    }
}

/// `TROUPE_HANDLER_MODE`: what a handler gets, and who moves the route.
enum HandlerMode: String, CaseIterable, Sendable {
    /// The payload; the route advances by itself.
    case payload
    /// The whole envelope; the handler moves the route.
    case envelope
}
