import Envelopes
import Foundation
import TestSupport
import Testing

struct TimestampTests {
    private static func formatter() -> ISO8601DateFormatter {
        let formatter = ISO8601DateFormatter()
        formatter.timeZone = TimeZone(identifier: "UTC")
        return formatter
    }

    private static func check(_ seconds: Int64, _ formatter: ISO8601DateFormatter) {
        let expected = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
        #expect(Timestamp.text(seconds: seconds, microseconds: 0) == expected.dropLast() + ".000000Z")
    }

    @Test func agreesWithFoundationOnEachDayOfLeapYearsAndAround() {
        let formatter = Self.formatter()
        // The last second of a day, and the first of the next; 1970...2400 by years that differ in their leap days.
        for year in [1970, 1972, 1999, 2000, 2023, 2024, 2026, 2099, 2100, 2101, 2300, 2399, 2400] {
            let start = Int64(formatter.date(from: "\(year)-01-01T00:00:00Z")!.timeIntervalSince1970)
            for day in 0...366 {
                Self.check(start + Int64(day) * 86_400, formatter)
                Self.check(start + Int64(day) * 86_400 - 1, formatter)
            }
        }
    }

    @Test(arguments: 0..<4)
    func agreesWithFoundationAtRandomMoments(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let formatter = Self.formatter()
        for _ in 0..<3000 { Self.check(Int64.random(in: 0..<13_600_000_000, using: &generator), formatter) }
    }

    @Test func knowsLeapDaysByHeart() {
        #expect(Timestamp.text(seconds: 951_782_400, microseconds: 7) == "2000-02-29T00:00:00.000007Z")
        #expect(Timestamp.text(seconds: 4_107_542_399, microseconds: 999_999) == "2100-02-28T23:59:59.999999Z")
        #expect(Timestamp.text(seconds: 4_107_542_400, microseconds: 0) == "2100-03-01T00:00:00.000000Z")
        #expect(Timestamp.text(seconds: -1, microseconds: 0) == "1969-12-31T23:59:59.000000Z")
    }

    @Test func nowIsNow() throws {
        let before = Date()
        let text = Timestamp.now()
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let parsed = try style.parse(text)
        #expect(parsed > before.addingTimeInterval(-0.01))
        #expect(parsed < Date().addingTimeInterval(0.01))
    }

    @Test func readsWhatItHasWritten() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<3000 {
            let moment = Int64.random(in: -60_000_000_000_000_000..<250_000_000_000_000_000, using: &generator)
            let (seconds, rest) = moment.quotientAndRemainder(dividingBy: 1_000_000)
            let text = Timestamp.text(
                seconds: rest < 0 ? seconds - 1 : seconds, microseconds: rest < 0 ? rest + 1_000_000 : rest)
            #expect(Timestamp.microseconds(parsing: text) == moment, "\(text)")
        }
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01t01:00:00.5+01:00", 500_000), ("1969-12-31T23:59:59.9999999z", -1),
        ("1970-01-01T00:00:00-0130", 5_400_000_000), ("2000-02-29T00:00:60Z", 951_782_460_000_000),
    ])
    func readsTheFormsOfISO8601(text: String, microseconds: Int64) {
        #expect(Timestamp.microseconds(parsing: text) == microseconds)
    }

    @Test(arguments: [
        "", "2026", "2026-11-21", "2026-11-21T09:30:00", "2026-11-21 09:30:00Z", "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00ZZ", "+026-01-01T00:00:00Z",
        "2026-01-01T00:00:00\u{0}Z", "2026-01-01T00:00:00+99:00",
    ])
    func readsNothingElse(text: String) { #expect(Timestamp.microseconds(parsing: text) == nil) }
}
