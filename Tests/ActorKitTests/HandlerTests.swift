import Foundation
import Testing

@testable import ActorKit

struct Doubler: Handler {
    struct Input: Decodable, Sendable {
        var number: Int
        var tags: [String]?
        var when: Date?
    }
    func handle(_ input: Input, _ context: Context) async throws -> Int { input.number * 2 }
}

struct Splitter: Handler {
    func handle(_ text: String, _ context: Context) -> FanOut<String>? {
        text.isEmpty ? nil : FanOut(text.split(separator: " ").map(String.init))
    }
}

struct Lister: Handler {
    func handle(_ text: String, _ context: Context) -> [String] { text.split(separator: " ").map(String.init) }
}

struct Divider: Handler {
    func handle(_ number: Double, _ context: Context) -> Double { 1 / number }
}

struct Failing: Handler {
    enum Kind: Error { case noColour(String) }
    struct Silent: Error, CustomStringConvertible { var description: String { "" } }
    func handle(_ kind: String, _ context: Context) throws -> Int {
        switch kind {
        case "own": throw HandlerError(type: "NoSuchColour", "blau")
        case "enum": throw Kind.noColour("blau")
        case "silent": throw Silent()
        default: throw CancellationError()
        }
    }
}

@Suite
struct HandlerTests {
    @Test func aValueComesAndGoes() async throws {
        let reply = try await answerer(Doubler()).answer(request(#"{"number":21}"#))
        let expected =
            #"[{"payload":42,"route":{"actors":["a","b"],"metadata":{"z":1},"current":1},"headers":{"trace":"t"}}]"#
        #expect(String(decoding: reply, as: UTF8.self) == expected)
    }

    @Test func fanOutMakesOneEnvelopeEach() async throws {
        let reply = try RawJSON(try await answerer(Splitter()).answer(request(#""to be or""#)))
        #expect(reply.elements.map { $0["payload"]?.string } == ["to", "be", "or"])
        #expect(
            reply.elements.allSatisfy {
                $0["route"]?["current"]?.integer == 1 && $0["headers"]?["trace"]?.string == "t"
            })
    }

    @Test func nilAndAnEmptyFanOutEndTheRoute() async throws {
        #expect(try await answerer(Splitter()).answer(request(#""""#)) == Array("[]".utf8))
        #expect(try await answerer(Splitter()).answer(request(#"" ""#)) == Array("[]".utf8))
    }

    @Test func anArrayIsOneResult() async throws {
        let reply = try RawJSON(try await answerer(Lister()).answer(request(#""to be""#)))
        #expect(reply.elements.map(\.description).count == 1)
        #expect(reply.elements.first?["payload"] == (try json(#"["to","be"]"#)))
    }

    @Test(arguments: [
        (#"{"number":"x"}"#, "payload.number: expected Int, got string"),
        (#"{"number":1.5}"#, "payload: a number does not fit its type"),
        (#"{"number":null}"#, "payload.number: expected Int, got null"),
        (#"{}"#, "payload.number: missing"),
        (#"[1]"#, "payload: expected object, got array"),
        (#"{"number":1,"tags":["a",{}]}"#, "payload.tags[1]: expected String, got object"),
        (#"{"number":1,"tags":"a"}"#, "payload.tags: expected array, got string"),
        (#"{"number":1,"when":"yesterday"}"#, "payload: Expected date string to be ISO8601-formatted."),
    ])
    func aPayloadOfAnotherShapeIsExplained(_ payload: String, _ message: String) async throws {
        let got = try error(in: try await answerer(Doubler()).answer(request(payload)))
        #expect(got.code == "processing_error")
        #expect(got.type == "DecodingError")
        #expect(got.message?.hasPrefix(message) == true, "\(got.message ?? "")")
    }

    @Test func datesAreISO8601() async throws {
        let reply = try await answerer(Doubler()).answer(request(#"{"number":1,"when":"2026-11-21T09:30:00Z"}"#))
        #expect(try RawJSON(reply).elements.first?["payload"]?.integer == 2)
    }

    @Test func aResultThatJSONCannotHoldIsAnError() async throws {
        let got = try error(in: try await answerer(Divider()).answer(request("0")))
        #expect(got.type == "EncodingError")
        #expect(got.message?.contains("inf at payload") == true, "\(got.message ?? "")")
    }

    @Test(arguments: [
        ("own", "NoSuchColour", "blau"), ("enum", "Kind", #"noColour("blau")"#), ("silent", "Silent", "Silent"),
        ("cancelled", "CancellationError", "CancellationError()"),
    ])
    func errorsKeepTheirNames(_ kind: String, _ type: String, _ message: String) async throws {
        let got = try error(in: try await answerer(Failing()).answer(request("\"\(kind)\"")))
        #expect(got.code == "processing_error")
        #expect(got.type == type)
        #expect(got.message == message)
        if kind == "own" { #expect(got.traceback?.contains("ActorKitTests/HandlerTests.swift:") == true) }
    }

    @Test func deepPayloadsAreAnErrorNotACrash() async throws {
        let deep = String(repeating: "[", count: 511) + String(repeating: "]", count: 511)
        #expect(try error(in: try await answerer(Doubler()).answer(request(deep))).code == "processing_error")
        let deeper = String(repeating: "[", count: 600) + String(repeating: "]", count: 600)
        let got = try error(in: try await answerer(Doubler()).answer(request(deeper)))
        #expect(got.code == "msg_parsing_error")
        #expect(got.message?.contains("TROUPE_MAX_NESTING") == true)
    }

    @Test func arbitraryBytesAreAnsweredWithAnError() async throws {
        let answerer = try answerer(Doubler())
        var generator = Generator(seed: 20_261_121)
        let whole = request(#"{"number":21,"tags":["ü","\ud83c\udfad"]}"#)
        for round in 0..<3000 {
            var bytes =
                round % 3 == 0 ? (0..<Int.random(in: 0..<64, using: &generator)).map { _ in generator.byte() } : whole
            if round % 3 == 1 { bytes.removeLast(Int.random(in: 1...bytes.count, using: &generator)) }
            if round % 3 == 2 { bytes[Int.random(in: bytes.indices, using: &generator)] = generator.byte() }
            let reply = try RawJSON(await answerer.answer(bytes))
            #expect(reply.kind == .array && reply.elements.count == 1)
            if round % 3 != 2 { #expect(reply.elements.first?["error"]?.string == "msg_parsing_error") }
        }
    }
}

/// The same numbers each time.
struct Generator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
    mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}
