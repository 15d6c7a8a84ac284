import Envelopes
import Testing

@testable import Faults

func json(_ text: String) throws -> RawJSON { try RawJSON(Array(text.utf8)) }

func fault(
    _ text: String, id: String = "f", seed: Int = 1, now: Int64 = 0, bounds: FaultBounds = FaultBounds()
) throws -> Fault {
    try Fault(request: json(text), id: id, seed: seed, now: now, bounds: bounds)
}

struct FaultTests {
    @Test("what is asked for comes back from its JSON as it was")
    func roundTrip() throws {
        let texts = [
            #"{"kind":"latency","actor":"a","delay":"500ms","intensity":2.5,"probability":0.25,"times":3,"owner":"me"}"#,
            #"{"kind":"timeout","actor":"*","delay":1.5,"seed":9007199254740992}"#,
            #"{"kind":"error","actor":"a","error_type":"database_error","message":"\"no\" /","match":{"mission":"m-1","n":1,"f":true}}"#,
            #"{"kind":"crash","actor":"a","delay":"30ms"}"#, #"{"kind":"cpu","actor":"a","cpu":"30s","load":0.9}"#,
            #"{"kind":"memory","actor":"a","bytes":1000}"#, #"{"kind":"drop","actor":"a"}"#,
            #"{"kind":"hang","actor":"a","duration":"1h","id":"x:1"}"#,
            #"{"kind":"bad_data","actor":"a","changes":[{"op":"set","at":"/a~1b/*/0","value":{"x":[1e400]}},{"op":"truncate","at":"","length":0},{"op":"scale","at":"/p","factor":-0.5},{"op":"drop","at":"/q"},{"op":"null"},{"op":"swap_type"},{"op":"garbage"}]}"#,
        ]
        for text in texts {
            let asked = try fault(text, now: 1_700_000_000_123_456)
            #expect(try Fault(asked.json) == asked, "\(text)")
            let state = FaultState(asked, isReset: true)
            #expect(try FaultState(state.json) == state)
        }
        #expect(try Set(texts.map { try fault($0).kind }) == Set(Fault.Kind.allCases))
    }

    @Test("every kind has its defaults, and the clock starts when it is injected")
    func defaults() throws {
        let latency = try fault(#"{"kind":"latency","actor":"a","intensity":3}"#, id: "f-1", seed: 7, now: 1_000_000)
        #expect(latency.id == "f-1" && latency.seed == 7 && latency.probability == 1 && latency.times == nil)
        #expect(latency.delay == .seconds(3) && latency.until == 31_000_000 && latency.duration == .seconds(30))
        #expect(try fault(#"{"kind":"timeout","actor":"a","intensity":2}"#).delay == .seconds(4))
        #expect(try fault(#"{"kind":"memory","actor":"a","intensity":0.5}"#).bytes == 32 << 20)
        #expect(try fault(#"{"kind":"cpu","actor":"a"}"#).work == .seconds(10))
        #expect(try fault(#"{"kind":"crash","actor":"a"}"#).delay == .zero)
    }

    @Test(
        "what cannot be injected says where and why",
        arguments: [
            (#"[]"#, "", "object"), (#"{"actor":"a"}"#, "/kind", "one of: latency, timeout"),
            (#"{"kind":"banana","actor":"a"}"#, "/kind", "one of"), (#"{"kind":"drop"}"#, "/actor", "missing"),
            (#"{"kind":"drop","actor":"a","delay":"1s"}"#, "/delay", "but for: latency, timeout, crash"),
            (#"{"kind":"drop","actor":"a","nothing":1}"#, "/nothing", "no member 'nothing'"),
            (#"{"kind":"latency","actor":"a","delay":"soon"}"#, "/delay", "time span"),
            (#"{"kind":"latency","actor":"a","delay":"2m"}"#, "/delay", "TROUPE_FAULTS_MAX_LATENCY"),
            (#"{"kind":"latency","actor":"a","delay":"1s","intensity":61}"#, "/delay", "1m1s, at most"),
            (#"{"kind":"cpu","actor":"a","cpu":"2m"}"#, "/cpu", "TROUPE_FAULTS_MAX_CPU"),
            (#"{"kind":"memory","actor":"a","bytes":1000000000}"#, "/bytes", "TROUPE_FAULTS_MAX_MEMORY"),
            (#"{"kind":"memory","actor":"a","bytes":1000000000000,"intensity":1000}"#, "/bytes", "at most"),
            (#"{"kind":"drop","actor":"a","duration":"2h"}"#, "/duration", "TROUPE_FAULTS_MAX_DURATION"),
            (#"{"kind":"drop","actor":"a","duration":"1ms"}"#, "/duration", "from 100ms"),
            (#"{"kind":"drop","actor":"a","probability":1.1}"#, "/probability", "0 to 1"),
            (#"{"kind":"drop","actor":"a","probability":"1"}"#, "/probability", "number"),
            (#"{"kind":"drop","actor":"a","intensity":0}"#, "/intensity", "above 0"),
            (#"{"kind":"drop","actor":"a","times":0}"#, "/times", "whole number"),
            (#"{"kind":"drop","actor":"a","seed":-1}"#, "/seed", "whole number"),
            (#"{"kind":"drop","actor":"a","id":"a/b"}"#, "/id", "ASCII"),
            (#"{"kind":"drop","actor":"a","match":{"h":[1]}}"#, "/match", "at most 10 headers"),
            (#"{"kind":"bad_data","actor":"a","changes":[{"op":"null"},{"op":"melt"}]}"#, "/changes/1/op", "one of"),
            (#"{"kind":"bad_data","actor":"a","changes":[{"op":"drop"}]}"#, "/changes/0/at", "needs an 'at'"),
            (#"{"kind":"bad_data","actor":"a","changes":[{"op":"null","factor":2}]}"#, "/changes/0/factor", "has no"),
            (#"{"kind":"bad_data","actor":"a","changes":[{"op":"null","at":"price"}]}"#, "/changes/0/at", "Pointer"),
        ])
    func refused(text: String, pointer: String, part: String) throws {
        let error = #expect(throws: InvalidFault.self) { try fault(text) }
        #expect(error?.pointer == pointer)
        if part != "1m1s, at most" { #expect(error?.message.contains(part) == true, "\(error?.message ?? "")") }
    }

    @Test("it concerns envelopes that have all of its headers")
    func match() throws {
        let mission = try fault(#"{"kind":"drop","actor":"a","match":{"mission":"m-1","big":12}}"#)
        #expect(mission.concerns(try Headers(json(#"{"big":12,"mission":"m\u002d1","more":1}"#))))
        #expect(!mission.concerns(try Headers(json(#"{"big":12.0,"mission":"m-1"}"#))))
        #expect(!mission.concerns(try Headers(json(#"{"mission":"m-1"}"#))))
        #expect(!mission.concerns(Headers()))
        #expect(try fault(#"{"kind":"drop","actor":"a"}"#).concerns(Headers()))
    }
}
