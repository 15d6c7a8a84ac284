internal import Settings

/// What the environment says about how an actor serves its sidecar. The Python runtime reads the same names.
struct ActorSettings: Sendable {
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

    mutating func takeWhateverComes() {
        validates = false
        let limits = jsonLimits.ofErrorEnvelopes
        maximumMessageBytes = min(limits.size, Int(UInt32.max))
        maximumNesting = limits.nesting
    }

    static let readyFile = "runtime-ready"

    var socketPath: String { folder + "/" + socketName }
    var readyPath: String { folder + "/" + Self.readyFile }
    var jsonLimits: JSONLimits { JSONLimits(size: maximumMessageBytes, nesting: maximumNesting) }
}

extension ActorSettings {
    /// - Throws: `StartError` with every wrong setting, its value and what was expected.
    init(environment: [String: String], mode: HandlerMode) throws(StartError) {
        var settings = Settings(environment: environment)
        Self.checkFit(&settings, mode)
        validates = settings.flag("ENABLE_VALIDATION", default: true)
        concurrency = settings.integer("CONCURRENCY", default: 1, in: 1...1024)
        folder = settings.text("SOCKET_DIR", default: "/var/run/troupe")
        // A path that ends in "/" would only look odd in messages.
        while folder.count > 1 && folder.hasSuffix("/") { folder.removeLast() }
        socketName = Self.socketName(&settings, environment)
        socketMode = Self.fileMode(&settings, environment)
        maximumMessageBytes = settings.integer("MAX_MESSAGE_BYTES", default: 64 << 20, in: 1024...Int(UInt32.max))
        maximumNesting = settings.integer("MAX_NESTING", default: 512, in: 1...4096)
        chunkSize = settings.integer("CHUNK_SIZE", default: 65536, in: 1...(1 << 30))
        logLevel = settings.choice("LOG_LEVEL", default: .info)
        guard settings.problems.isEmpty else { throw StartError(settings.problems) }
    }

    /// In Swift the handler's type says what it is; a setting that says otherwise is a mistake in the deployment.
    private static func checkFit(_ settings: inout Settings, _ mode: HandlerMode) {
        let wanted = settings.choice("HANDLER_MODE", default: mode)
        if wanted != mode {
            settings.problem(
                "TROUPE_HANDLER_MODE", "'\(wanted.rawValue)' does not fit: this handler is made for \(mode.rawValue)")
        }
        let workers: WorkerKind = settings.choice("CONCURRENCY_MODE", default: .threads)
        if workers != .threads {
            settings.problem(
                "TROUPE_CONCURRENCY_MODE", "'processes' does not fit: calls of a Swift handler share one process")
        }
    }

    private enum WorkerKind: String, CaseIterable { case threads, processes }

    private static func socketName(_ settings: inout Settings, _ environment: [String: String]) -> String {
        // The folder decides whose default it is: beside Asya's sidecar the socket has Asya's name.
        let isOriginal =
            environment["TROUPE_SOCKET_DIR", default: ""].isEmpty
            && !environment["ASYA_SOCKET_DIR", default: ""].isEmpty
        let name = settings.text("SOCKET_NAME", default: isOriginal ? "asya-runtime.sock" : "runtime.sock")
        if name.contains("/") || [readyFile, ".", ".."].contains(name) {
            settings.problem("TROUPE_SOCKET_NAME", "'\(name)' must be a file name without '/', other than \(readyFile)")
        }
        return name
    }

    private static func fileMode(_ settings: inout Settings, _ environment: [String: String]) -> UInt32? {
        // Set to nothing means something here: leave the mode as it is.
        guard (environment["TROUPE_SOCKET_CHMOD"] ?? environment["ASYA_SOCKET_CHMOD"]) != "" else { return nil }
        let text = settings.text("SOCKET_CHMOD", default: "0660")
        let digits = text.hasPrefix("0o") ? String(text.dropFirst(2)) : text
        let octal = UInt8(ascii: "0")...UInt8(ascii: "7")
        guard (1...4).contains(digits.utf8.count), digits.utf8.allSatisfy(octal.contains),
            let mode = UInt32(digits, radix: 8),
            mode <= 0o777
        else {
            settings.problem(
                "TROUPE_SOCKET_CHMOD", "'\(text)' is no octal file mode such as 0660 (empty leaves the mode as it is)")
            return nil
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
