import Settings
import Testing

struct SettingsTests {
    @Test func readsBothPrefixesAndOursWins() {
        #expect(Settings(environment: ["ASYA_QUEUE_PREFIX": "asya-"]).text("QUEUE_PREFIX") == "asya-")
        #expect(Settings(environment: ["ASYA_X": "a", "TROUPE_X": "t"]).text("X") == "t")
        #expect(Settings(environment: ["TROUPE_X": "", "ASYA_X": "a"]).text("X") == "a")
        #expect(Settings(environment: [:]).text("X") == nil)
    }

    @Test func gathersEveryProblemByName() {
        enum Color: String, CaseIterable { case red, blue }
        var settings = Settings(environment: [
            "TROUPE_N": "ten", "ASYA_M": "0", "TROUPE_F": "maybe", "TROUPE_C": "green", "TROUPE_D": "-5s",
        ])
        let values = (settings.integer("N", default: 1, in: 1...8), settings.integer("M", default: 2, in: 1...8))
        let flag = settings.flag("F", default: true)
        let choice = settings.choice("C", default: Color.blue)
        let duration = settings.duration("D", default: .seconds(3), in: .zero ... .seconds(60))
        #expect(values == (1, 2) && flag && choice == .blue && duration == .seconds(3))
        _ = settings.required("R", "the name of something")
        #expect(
            settings.problems.map(\.setting) == ["TROUPE_N", "ASYA_M", "TROUPE_F", "TROUPE_C", "TROUPE_D", "TROUPE_R"])
        #expect(settings.problems[3].description == "TROUPE_C: 'green' is none of: red, blue")
    }

    @Test(arguments: [
        ("250ms", Duration.milliseconds(250)), ("1.5s", .milliseconds(1500)), ("5m", .seconds(300)),
        ("1h30m", .seconds(5400)),
        ("42", .seconds(42)), ("0", .zero), ("2d", .seconds(172_800)),
    ])
    func readsTimeSpans(text: String, expected: Duration) {
        #expect(Duration(text: text) == expected)
    }

    @Test(arguments: ["", "s", "5x", "-1s", "1s2", "1..2s", "1e3s", "９s", "5 m", "99999999999s", "0h30", "0s0"])
    func refusesOtherTimeSpans(text: String) {
        #expect(Duration(text: text) == nil)
    }
}
