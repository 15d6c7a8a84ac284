internal import Glibc

/// A moment in UTC as ISO 8601 text with microseconds, `2026-11-21T09:30:00.123456Z`.
public enum Timestamp {
    /// - Parameter offset: how far from now; a future time for a positive one.
    public static func now(plus offset: Duration = .zero) -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let (seconds, attoseconds) = offset.components
        let microseconds = Int64(time.tv_nsec) / 1000 + attoseconds / 1_000_000_000_000
        let (carry, rest) = microseconds.quotientAndRemainder(floor: 1_000_000)
        return text(seconds: Int64(time.tv_sec) &+ seconds &+ carry, microseconds: rest)
    }

    /// - Parameters:
    ///   - seconds: since 1970-01-01T00:00:00Z, without leap seconds.
    ///   - microseconds: 0...999999.
    public static func text(seconds: Int64, microseconds: Int64) -> String {
        let (days, second) = seconds.quotientAndRemainder(floor: 86_400)
        let (year, month, day) = civilDate(days: days)
        return padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2) + "T" + padded(second / 3600, 2) + ":"
            + padded(second / 60 % 60, 2) + ":" + padded(second % 60, 2) + "." + padded(microseconds, 6) + "Z"
    }

    /// The Gregorian date, `days` after 1970-01-01. Counts in eras of 400 years that begin on a 1st of March, so that
    /// the leap day is the last day of its year.
    private static func civilDate(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (days + 719_468).quotientAndRemainder(floor: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Int64 {
    /// Division that rounds down, so that the remainder is never negative.
    fileprivate func quotientAndRemainder(floor divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
