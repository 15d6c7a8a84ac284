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
}
