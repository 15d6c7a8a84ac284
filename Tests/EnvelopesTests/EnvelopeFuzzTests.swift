import Envelopes
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5)))
struct EnvelopeFuzzTests {
    /// Every rule of the grammar and every field of an envelope in one text.
    static let sample = Array(
        """
        {"\\u0069d":"ü\\ud83d\\ude00€","parent_id":null, "route" :{"actors":["a","b\\n"],"current":1,"x":-0.5e+10},
        "headers":{"k":[true,false,{}],"k":1e400} ,"payload":[[],12345678901234567890,"\\ud800\\u00e9"],"deadline":"é"}
        """.utf8)

    private static func isJSON(_ text: [UInt8]) -> Bool { (try? RawJSON(text)) != nil }

    private static func check(_ texts: [[UInt8]]) throws {
        for (text, verdict) in zip(texts, try JSONJudge.accepts(texts)) where isJSON(text) != verdict {
            Issue.record("the judge says \(verdict) to \(String(decoding: text, as: UTF8.self).debugDescription)")
        }
        for text in texts { #expect((try? Envelope(parsing: text)) == nil || isJSON(text)) }
    }

    @Test func agreesWithTheJudgeOnEachChangedByte() throws {
        #expect(Self.isJSON(Self.sample))
        _ = try Envelope(parsing: Self.sample)
        var texts: [[UInt8]] = []
        for index in Self.sample.indices {
            for byte in UInt8.min ... .max where byte != Self.sample[index] {
                var text = Self.sample
                text[index] = byte
                texts.append(text)
            }
        }
        try Self.check(texts)
    }

    @Test func agreesWithTheJudgeOnDroppedDoubledAndSwappedBytes() throws {
        var texts: [[UInt8]] = []
        for index in Self.sample.indices {
            var (dropped, doubled, swapped) = (Self.sample, Self.sample, Self.sample)
            dropped.remove(at: index)
            doubled.insert(Self.sample[index], at: index)
            if index > 0 { swapped.swapAt(index, index - 1) }
            texts += [dropped, doubled, swapped]
        }
        try Self.check(texts)
    }

    /// Lists as runtimes send them, whole and broken: read in one pass, they are what they are in three.
    @Test(arguments: 0..<6)
    func listsOfObjectsAreReadInOnePassAsInThree(seed: UInt64) throws {
        var random = RandomJSON(generator: SeededGenerator(seed: seed))
        for _ in 0..<500 {
            let count = Int.random(in: 0..<4, using: &random.generator)
            let elements = (0..<count).map { _ in
                Bool.random(using: &random.generator) ? random.object() : random.value(depth: 2)
            }
            var text = Array(("[" + elements.joined(separator: ",") + "]" + random.space()).utf8)
            if Int.random(in: 0..<4, using: &random.generator) == 0 {
                text[Int.random(in: text.indices, using: &random.generator)] = UInt8.random(
                    in: 0...255, using: &random.generator)
            }
            let json = try? RawJSON(text)
            let list = try? RawJSON.objects(inArray: text, limits: .standard)
            #expect((json?.kind == .array) == (list != nil), "\(String(decoding: text, as: UTF8.self))")
            let inOne = (list ?? []).map { element -> [RawJSON.Member]? in
                if case .object(let members) = element { members } else { nil }
            }
            let inThree = (json?.elements ?? []).map { $0.kind == .object ? $0.members : nil }
            #expect(inOne == inThree, "\(String(decoding: text, as: UTF8.self))")
        }
    }

    @Test(arguments: ["", " ", "[", "[{", "[{}", "[{},]", "[{}]x", "[{\"a\"}]", "[{\"a\":1,}]", "[1 2]", "]"])
    func brokenListsAreRefused(text: String) {
        #expect(throws: JSONError.self) { try RawJSON.objects(inArray: Array(text.utf8), limits: .standard) }
    }

    @Test func saysOfEveryCutThatTheTextEnds() throws {
        let texts = Self.sample.indices.map { Array(Self.sample[..<$0]) }
        #expect(try JSONJudge.accepts(texts).allSatisfy { !$0 })
        for text in texts {
            let error = #expect(throws: EnvelopeError.self) { try Envelope(parsing: text) }
            guard case .notJSON(let reason) = error?.code else {
                Issue.record("\(text.count) bytes: \(String(describing: error))")
                continue
            }
            #expect(reason.code == .truncated, "\(text.count) bytes: \(reason)")
            #expect(reason.offset <= text.count)
        }
    }

    @Test(arguments: 0..<6)
    func agreesWithTheJudgeOnHeapsOfTokens(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let tokens = [
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"\\u00", "\\", "0", "1", "9", "-", "+", ".", "e", "E",
            "true",
            "false", "null", "nul", " ", "\n", "\u{B}", "ü", "\"id\"", "\"payload\"", "/", "NaN", "\u{0}",
        ].map { Array($0.utf8) }
        let texts = (0..<5000).map { _ in
            (0..<Int.random(in: 0..<12, using: &generator)).flatMap { _ in tokens.randomElement(using: &generator)! }
        }
        try Self.check(texts)
    }

    @Test(arguments: 0..<6)
    func survivesArbitraryBytes(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let texts = (0..<5000).map { _ -> [UInt8] in
            let bytes = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
                UInt8.random(in: .min ... .max, using: &generator)
            }
            // In a string most bytes get further.
            return Bool.random(using: &generator) ? bytes : [0x22] + bytes + [0x22]
        }
        try Self.check(texts)
        for text in texts {
            _ = try? StatusReport(parsing: text)
            _ = TraceParent(String(decoding: text, as: UTF8.self))
        }
    }

    @Test(arguments: 0..<6)
    func givesBackArbitraryJSONByteForByte(seed: UInt64) throws {
        var random = RandomJSON(generator: SeededGenerator(seed: seed))
        for _ in 0..<500 {
            let (payload, headers, unknown, extra) = (random.value(), random.object(), random.value(), random.value())
            let members = [
                "\"id\"\(random.space()):\(random.space())\"e-1\"", "\"payload\":\(random.space())\(payload)",
                "\"headers\"\(random.space()):\(headers)",
                "\"x\\u0041 \(random.space().isEmpty ? "" : "ü")\":\(unknown)",
                "\"route\":{\(random.space())\"actors\":[\"a\",\"b\"],\"meta\":\(extra)\(random.space())}",
            ].shuffled(using: &random.generator)
            let text = random.space() + "{" + members.joined(separator: random.space() + "," + random.space()) + "}"

            let envelope = try Envelope(parsing: Array(text.utf8))
            #expect(envelope.payload.bytes.elementsEqual(payload.utf8))
            #expect(envelope.headers.json?.bytes.elementsEqual(headers.utf8) == true)
            let name = try #require(members.first { $0.hasPrefix("\"x") }).prefix { $0 != ":" }
            let encoded =
                #"{"id":"e-1","route":{"actors":["a","b"],"current":0,"meta":\#(extra)},"#
                + #""headers":\#(headers),"payload":\#(payload),\#(name):\#(unknown)}"#
            #expect(envelope.encoded().elementsEqual(encoded.utf8), "\(text)")
            #expect(try Envelope(parsing: envelope.encoded()) == envelope)
        }
    }

    @Test func carriesTenMebibytes() throws {
        var generator = SeededGenerator(seed: 1)
        var payload = Array("\"".utf8)
        while payload.count < 10 << 20 {
            payload +=
                [UInt8](repeating: UInt8.random(in: 0x61...0x7A, using: &generator), count: 1000) + Array("\\nü".utf8)
        }
        payload.append(UInt8(ascii: "\""))
        let message = Array(#"{"id":"big","payload":"#.utf8) + payload + Array(#","route":{"actors":["a"]}}"#.utf8)
        let envelope = try Envelope(parsing: message)
        #expect(envelope.payload.bytes.elementsEqual(payload))
        #expect(try Envelope(parsing: envelope.encoded()).payload.bytes.elementsEqual(payload))
    }
}
