internal import ActorKit
internal import PostgreSQL
internal import Settings

/// What bounds a group.
struct FanInLimits: Sendable, Hashable {
    /// `TROUPE_FAN_IN_TIMEOUT`: deadline of a group whose header names none, and the longest there is.
    var timeout = Duration.seconds(30 * 86_400)
    /// `TROUPE_FAN_IN_RETENTION`: how long a group stays once it is decided.
    var retention = Duration.seconds(86_400)
    /// `TROUPE_FAN_IN_MAX_GROUP_BYTES`: payloads together, and the commas between them.
    var groupBytes = 60 << 20

    func timeout(of piece: FanInPiece) -> Duration { min(piece.timeout ?? timeout, timeout) }
}

struct FanInSettings: Sendable {
    enum Storage: Sendable {
        /// `TROUPE_DATABASE_*`
        case postgreSQL(PoolSettings)
        /// `TROUPE_FAN_IN_FILE`
        case file(String)
    }

    var storage: Storage
    var limits: FanInLimits

    /// - Throws: `StartError` with every wrong setting.
    init(environment: [String: String]) throws(StartError) {
        var settings = Settings(environment: environment)
        if let path = settings.text("FAN_IN_FILE") {
            storage = .file(path)
            if settings.text("DATABASE_URL") != nil {
                settings.problem(
                    "TROUPE_FAN_IN_FILE", "is set, and so is TROUPE_DATABASE_URL: groups are kept in one place")
            }
        } else {
            storage = .postgreSQL(PoolSettings(&settings, applicationName: "troupe-fan-in"))
        }
        limits = FanInLimits()
        limits.timeout = settings.duration(
            "FAN_IN_TIMEOUT", default: limits.timeout, in: .seconds(1)...FanInHeader.longestTimeout)
        limits.retention = settings.duration(
            "FAN_IN_RETENTION", default: limits.retention, in: .seconds(1)...(.seconds(365 * 86_400)))
        // The list must fit into a message, with room for route and headers.
        let messageBytes = settings.integer("MAX_MESSAGE_BYTES", default: 64 << 20, in: 1024...Int(UInt32.max))
        limits.groupBytes = settings.integer(
            "FAN_IN_MAX_GROUP_BYTES", default: messageBytes / 16 * 15, in: 16...messageBytes)
        guard settings.problems.isEmpty else { throw StartError(settings.problems) }
    }
}
