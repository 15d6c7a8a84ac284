internal import EventLoops
internal import Envelopes
internal import Settings

/// When an envelope starts, and by when it must be done: `delay_ms` or `not_before`, `timeout` or `deadline`.
struct Schedule: Sendable, Hashable {
    /// `nil`: now. Microseconds since 1970, as all times here.
    private(set) var notBefore: Int64?
    private(set) var timeoutSeconds: Double?
    private(set) var deadline: Int64?
    /// ISO 8601, as the caller wrote it.
    private(set) var deadlineText: String?

    /// Members of a request that make a schedule.
    static let names = ["delay_ms", "not_before", "timeout", "deadline"]

    private static let limitSeconds = 10 * 366 * 86_400

    /// - Parameter timeoutSeconds: for a caller who gives none. A timeout counts from the start.
    init(
        _ members: [RawJSON.Member] = [], timeoutSeconds fallback: Double? = nil,
        now: Int64 = Timestamp.microsecondsNow()
    ) throws(Problem) {
        let start = try Self.start(members, now: now)
        notBefore = start > now ? start : nil
        timeoutSeconds = try Self.timeout(members["timeout"]) ?? fallback
        if let text = try members.string("deadline") {
            deadlineText = text
            deadline = try Self.time(text, "deadline")
        } else if let timeoutSeconds {
            let end = start + Int64(timeoutSeconds * 1e6)
            deadline = end
            deadlineText = Timestamp.text(microseconds: end)
        }
        if let deadline, deadline <= start {
            throw Problem(
                .invalidDeadline, "'deadline' is before the start, \(Timestamp.text(microseconds: start))",
                at: "/deadline")
        }
    }

    /// What the envelope says until it starts; `nil` where it starts now.
    var startMessage: String? { notBefore.map { "Starts at \(Timestamp.text(microseconds: $0))" } }

    private static func start(_ members: [RawJSON.Member], now: Int64) throws(Problem) -> Int64 {
        let delay = members["delay_ms"]?.nonNull
        let time = try members.string("not_before")
        if delay != nil && time != nil {
            throw Problem(.invalidRequest, "'delay_ms' and 'not_before' exclude each other", at: "/delay_ms")
        }
        if let delay {
            guard let milliseconds = delay.integer, (0...limitSeconds * 1000).contains(milliseconds) else {
                throw Problem(
                    .invalidRequest, "'delay_ms' must be a whole number from 0 to \(limitSeconds * 1000)",
                    at: "/delay_ms")
            }
            return now + Int64(milliseconds) * 1000
        }
        guard let time else { return now }
        let start = try Self.time(time, "not_before")
        guard start <= now + Int64(limitSeconds) * 1_000_000 else {
            throw Problem(.invalidRequest, "'not_before' must be within ten years", at: "/not_before")
        }
        return max(start, now)
    }

    private static func timeout(_ json: RawJSON?) throws(Problem) -> Double? {
        guard let json, json.kind != .null else { return nil }
        let seconds = json.double ?? json.string.flatMap { Duration(text: $0) }?.inSeconds
        guard let seconds, seconds > 0, seconds <= Double(limitSeconds) else {
            throw Problem(
                .invalidRequest, "'timeout' must be a number of seconds or a time span like \"5m\", above 0",
                at: "/timeout")
        }
        return seconds
    }

    private static func time(_ text: String, _ name: String) throws(Problem) -> Int64 {
        guard let time = Timestamp.microseconds(parsing: text) else {
            throw Problem(
                name == "deadline" ? .invalidDeadline : .invalidRequest,
                "'\(name)' must be ISO 8601 with a time zone, like 2026-11-21T09:30:00Z", at: "/\(name)")
        }
        return time
    }
}
