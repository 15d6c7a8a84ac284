internal import Glibc

/// A moment in UTC as ISO 8601 text with microseconds, `2026-11-21T09:30:00.123456Z`.
public enum Timestamp {
    /// - Parameter offset: how far from now; a future time for a positive one.
    public static func now(plus offset: Duration = .zero) -> String {
        if offset == .zero { return text(microseconds: microsecondsNow()) }
        let (seconds, attoseconds) = offset.components
        return text(microseconds: microsecondsNow() &+ seconds &* 1_000_000 &+ attoseconds / 1_000_000_000_000)
    }

    /// - Parameter microseconds: since 1970-01-01T00:00:00Z, without leap seconds.
    public static func text(microseconds: Int64) -> String {
        let (seconds, rest) = microseconds.quotientAndRemainder(floor: 1_000_000)
        return text(seconds: seconds, microseconds: rest)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    public static func microsecondsNow() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// Microseconds since 1970-01-01T00:00:00Z of an ISO 8601 moment with a zone, `2026-11-21T10:30:00.5+01:00`: the
    /// profile of RFC 3339, where the zone's colon and the seconds' fraction may be missing. `nil` for anything else.
    public static func microseconds(parsing text: String) -> Int64? {
        var rest = Array(text.utf8)[...]
        guard let year = rest.number(4), rest.take("-"), let month = rest.number(2), rest.take("-"),
            let day = rest.number(2), rest.take("T") || rest.take("t"), let hour = rest.number(2), rest.take(":"),
            let minute = rest.number(2), rest.take(":"), let second = rest.number(2)
        else { return nil }
        guard (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60 else { return nil }
        var microseconds: Int64 = 0
        if rest.take(".") {
            var scale: Int64 = 100_000
            guard rest.first?.isDigit == true else { return nil }
            while let digit = rest.first, digit.isDigit {
                microseconds += Int64(digit - UInt8(ascii: "0")) * scale
                scale /= 10
                rest = rest.dropFirst()
            }
        }
        var offset: Int64 = 0
        if !(rest.take("Z") || rest.take("z")) {
            let sign: Int64 = rest.take("+") ? 1 : -1
            guard sign == 1 || rest.take("-"), let hours = rest.number(2) else { return nil }
            _ = rest.take(":")
            guard let minutes = rest.number(2), hours < 24, minutes < 60 else { return nil }
            offset = sign * (hours * 3600 + minutes * 60)
        }
        guard rest.isEmpty else { return nil }
        let (sinceMarch, marchYear) = month > 2 ? (month - 3, year) : (month + 9, year - 1)
        let (era, yearOfEra) = marchYear.quotientAndRemainder(floor: 400)
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + (153 * sinceMarch + 2) / 5 + day - 1
        let days = era * 146_097 + dayOfEra - 719_468
        // A day that its month does not have comes out as another one.
        guard civilDate(days: days) == (year, month, day) else { return nil }
        return (days * 86_400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000 + microseconds
    }

    /// Years beyond 0...9999, which have no such text, are the first or the last of these.
    /// - Parameters:
    ///   - seconds: since 1970-01-01T00:00:00Z, without leap seconds.
    ///   - microseconds: 0...999999.
    public static func text(seconds: Int64, microseconds: Int64) -> String {
        let (days, second) = seconds.quotientAndRemainder(floor: 86_400)
        let (year, month, day) = civilDate(days: days)
        return String(unsafeUninitializedCapacity: 27) { text in
            var end = 0
            func write(_ number: Int64, _ digits: Int, _ separator: Unicode.Scalar) {
                var rest = number
                end += digits
                for place in 1...digits {
                    text[end - place] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                text[end] = UInt8(ascii: separator)
                end += 1
            }
            write(min(max(year, 0), 9999), 4, "-")
            write(month, 2, "-")
            write(day, 2, "T")
            write(second / 3600, 2, ":")
            write(second / 60 % 60, 2, ":")
            write(second % 60, 2, ".")
            write(microseconds, 6, "Z")
            return end
        }
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
}

extension Int64 {
    /// Division that rounds down, so that the remainder is never negative.
    fileprivate func quotientAndRemainder(floor divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension ArraySlice<UInt8> {
    /// Takes exactly so many digits.
    fileprivate mutating func number(_ digits: Int) -> Int64? {
        guard count >= digits, prefix(digits).allSatisfy(\.isDigit) else { return nil }
        defer { self = dropFirst(digits) }
        return prefix(digits).reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    fileprivate mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard first == UInt8(ascii: character) else { return false }
        self = dropFirst()
        return true
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
