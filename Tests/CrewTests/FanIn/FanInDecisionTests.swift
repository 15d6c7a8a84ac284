import Testing

@testable import Crew

struct FanInDecisionTests {
    /// Piece 3 of 20, by an envelope of its own.
    private let piece = FanInPiece(group: "g", count: 20, index: 3, envelopeID: "e-3", isOfFanOut: true)
    private let carrier = FanInPiece(group: "g", count: 20, index: 0, envelopeID: "e", isOfFanOut: true)

    private func group(place: Int?, owner: String?, _ change: (inout FanInGroup) -> Void = { _ in }) -> FanInGroup {
        var group = FanInGroup(
            count: 20, isIndexed: true, arrived: 5, isTooLarge: false, outcome: nil, waited: .seconds(2),
            left: .seconds(100),
            place: place, owner: owner)
        change(&group)
        return group
    }

    private func refusal(_ decision: FanInDecision) -> FanInError? {
        if case .refuse(let error) = decision { error } else { nil }
    }

    @Test(arguments: [nil, FanInGroup.Outcome.released, .failed])
    func aPieceThatIsKeptEndsHereHoweverOftenItComes(outcome: FanInGroup.Outcome?) {
        #expect(FanInDecision(piece, in: group(place: 3, owner: "e-3") { $0.outcome = outcome }) == .collect)
    }

    @Test func theFirstPieceWaitsForTheOthers() {
        func pause(waited: Duration, left: Duration) -> FanInDecision {
            FanInDecision(
                carrier,
                in: group(place: 0, owner: "e") {
                    $0.waited = waited
                    $0.left = left
                })
        }
        #expect(pause(waited: .zero, left: .seconds(100)) == .hold(.milliseconds(50)))
        #expect(pause(waited: .seconds(2), left: .seconds(100)) == .hold(.milliseconds(200)))
        #expect(pause(waited: .seconds(1000), left: .seconds(100)) == .hold(.seconds(100)))
        // Not beyond the deadline, but never without a pause either.
        #expect(pause(waited: .seconds(1000), left: .milliseconds(70)) == .hold(.milliseconds(70)))
        #expect(pause(waited: .seconds(1000), left: .seconds(-1)) == .hold(.milliseconds(50)))
        #expect(pause(waited: .seconds(86_400), left: .seconds(86_400)) == .hold(.seconds(300)))
    }

    /// In all it costs a tenth of the wait, and few looks.
    @Test func waitingIsCheap() {
        var waited = Duration.zero
        var looks = 0
        while waited < .seconds(86_400) {
            guard
                case .hold(let pause) = FanInDecision(
                    carrier,
                    in: group(place: 0, owner: "e") {
                        $0.waited = waited
                        $0.left = .seconds(30 * 86_400)
                    })
            else {
                Issue.record("it does not wait")
                return
            }
            #expect(pause <= max(.milliseconds(50), waited / 10))
            waited += pause
            looks += 1
        }
        #expect(looks < 500)
    }

    @Test func theFirstPieceCarriesTheListOn() {
        func decision(arrived: Int) -> FanInDecision {
            FanInDecision(
                carrier,
                in: group(place: 0, owner: "e") {
                    $0.arrived = arrived
                    $0.outcome = .released
                })
        }
        #expect(decision(arrived: 20) == .release(isPartial: false))
        #expect(decision(arrived: 19) == .release(isPartial: true))
    }

    @Test func theFirstPieceFailsWithItsGroup() {
        #expect(FanInDecision(carrier, in: group(place: 0, owner: "e") { $0.outcome = .failed }) == .fail)
        let tooLarge = group(place: 0, owner: "e") {
            $0.outcome = .failed
            $0.isTooLarge = true
        }
        #expect(refusal(FanInDecision(carrier, in: tooLarge))?.code == .tooLarge)
    }

    @Test func whatWasNotTakenIsRefusedWithTheReason() {
        let late = refusal(FanInDecision(piece, in: group(place: nil, owner: nil) { $0.outcome = .released }))
        #expect(late?.code == .late && late?.message.contains("released without it") == true)
        let surplus = refusal(FanInDecision(piece, in: group(place: nil, owner: nil) { $0.arrived = 20 }))
        #expect(surplus?.code == .late && surplus?.message.contains("has all its 20 pieces") == true)
        let large = refusal(FanInDecision(piece, in: group(place: nil, owner: nil) { $0.isTooLarge = true }))
        #expect(large?.code == .tooLarge && large?.message.contains("TROUPE_FAN_IN_MAX_GROUP_BYTES") == true)
    }

    @Test func whoSaysSomethingElseThanTheGroupIsRefused() {
        for other in [
            group(place: 3, owner: "e-3") { $0.count = 21 }, group(place: 3, owner: "e-3") { $0.isIndexed = false },
        ] {
            #expect(refusal(FanInDecision(piece, in: other))?.code == .header)
        }
        let taken = refusal(FanInDecision(piece, in: group(place: 3, owner: "f")))
        #expect(taken?.code == .header && taken?.message == "index 3 of its group (g) is envelope f already")
        // Who only claims to be the first piece carries nothing.
        #expect(refusal(FanInDecision(carrier, in: group(place: 0, owner: "f") { $0.outcome = .released })) != nil)
    }

    @Test(arguments: [
        ([], ""), ([7], "7"), ([0, 1, 2, 5, 7, 8], "0-2, 5, 7-8"),
        (Array(stride(from: 0, to: 40, by: 2)), "0, 2, 4 and 17 more"),
        ([0, 2, 4, 10, 11, 12, 14], "0, 2, 4 and 4 more"),
    ])
    func missingPiecesInWords(numbers: [Int], words: String) {
        #expect(numbers.inRanges(atMost: 3) == words)
    }
}
