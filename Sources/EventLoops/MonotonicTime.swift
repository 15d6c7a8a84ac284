internal import Glibc

/// A point on the machine's monotonic clock (`CLOCK_MONOTONIC`), in nanoseconds: cheap to read, never set back.
public struct MonotonicTime: Comparable, Hashable, Sendable {
    public var nanoseconds: UInt64

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public static var now: MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Saturates at both ends: a wait of a thousand years is a wait, not a crash.
    public func advanced(by duration: Duration) -> MonotonicTime {
        let delta = duration.nanosecondsClamped
        if delta < 0 {
            return MonotonicTime(nanoseconds: nanoseconds > delta.magnitude ? nanoseconds - delta.magnitude : 0)
        }
        let (sum, overflow) = nanoseconds.addingReportingOverflow(UInt64(delta))
        return MonotonicTime(nanoseconds: overflow ? .max : sum)
    }

    public func duration(to other: MonotonicTime) -> Duration {
        other >= self
            ? .nanoseconds(Int64(clamping: other.nanoseconds - nanoseconds))
            : .nanoseconds(-Int64(clamping: nanoseconds - other.nanoseconds))
    }

    /// Seconds since an earlier time; negative where it is later.
    public func seconds(since earlier: MonotonicTime) -> Double {
        Double(Int64(bitPattern: nanoseconds &- earlier.nanoseconds)) * 1e-9
    }

    /// Rounded up, so that a wait of this long never ends too early; 0 when the time has passed.
    var millisecondsFromNow: Int64 {
        let now = MonotonicTime.now.nanoseconds
        return nanoseconds <= now ? 0 : Int64(clamping: (nanoseconds - now).dividedRoundingUp(by: 1_000_000))
    }
}

extension Duration {
    /// Clamped to about 292 years either way.
    public var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowed ? (seconds < 0 ? .min : .max) : sum
    }

    /// For logs and messages, as `Settings` reads it: `250ms`, `3s`, `12.5s`.
    public var inWords: String {
        let milliseconds = nanosecondsClamped / 1_000_000
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        let tenths = milliseconds % 1000 / 100
        return tenths == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds / 1000).\(tenths)s"
    }

    public var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

extension UInt64 {
    fileprivate func dividedRoundingUp(by divisor: UInt64) -> UInt64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder == 0 ? quotient : quotient + 1
    }
}
