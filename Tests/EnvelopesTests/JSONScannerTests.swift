import Envelopes
import Testing

/// The grammar of RFC 8259, rule by rule, and what is said about breaches of it.
struct JSONScannerTests {
    @Test(arguments: [
        "null", "true", "false", "0", "-0", "7", "-12", "10.50", "0.0", "1e5", "1E+5", "1e-5", "-0.1e01", "1e400",
        "12345678901234567890", "\"\"", "\"plain\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\\uD83D\\ude00\"",
        "\"\\ud800\"", "\"\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}\"", "[]", "{}", "[[],{},[1]]", "[1,2]",
        "{\"a\":1}", "{\"a\":{\"b\":[null]},\"a\":2}", "{\"\":0}", " \t\r\n[ 1 , { \"a\" : 2 } ] \n",
    ])
    func acceptsWhatTheGrammarAllows(text: String) throws {
        let json = try RawJSON(Array(text.utf8))
        #expect(json.description == text.trimmingJSONWhiteSpace)
    }

    struct Refusal: CustomTestStringConvertible {
        var text: [UInt8]
        var code: JSONError.Code
        var message: String
        var offset: Int

        init(_ text: String, _ code: JSONError.Code, _ message: String, _ offset: Int) {
            self.init(bytes: Array(text.utf8), code, message, offset)
        }

        init(bytes: [UInt8], _ code: JSONError.Code, _ message: String, _ offset: Int) {
            (self.text, self.code, self.message, self.offset) = (bytes, code, message, offset)
        }

        var testDescription: String { String(decoding: text, as: UTF8.self) }
    }

    @Test(arguments: [
        Refusal("", .truncated, "expected a value, but the text ends", 0),
        Refusal("  ", .truncated, "expected a value, but the text ends", 2),
        Refusal("nul", .truncated, "expected 'null', but the text ends", 0),
        Refusal("nulL", .invalid, "expected 'null'", 0),
        Refusal("True", .invalid, "expected a value", 0),
        Refusal("truefalse", .invalid, "expected the end", 4),
        Refusal("NaN", .invalid, "expected a value", 0),
        Refusal("-Infinity", .invalid, "expected a digit", 1),
        Refusal("01", .invalid, "expected the end", 1),
        Refusal("-", .truncated, "expected a digit, but the text ends", 1),
        Refusal("-a", .invalid, "expected a digit", 1),
        Refusal("1.", .truncated, "expected a digit, but the text ends", 2),
        Refusal("1.e5", .invalid, "expected a digit", 2),
        Refusal("1e", .truncated, "expected a digit, but the text ends", 2),
        Refusal("1e+", .truncated, "expected a digit, but the text ends", 3),
        Refusal("+1", .invalid, "expected a value", 0),
        Refusal(".5", .invalid, "expected a value", 0),
        Refusal("0x10", .invalid, "expected the end", 1),
        Refusal("\"abc", .truncated, "unterminated string", 4),
        Refusal("\"abc\\", .truncated, "unterminated string", 4),
        Refusal("\"\\u12", .truncated, "unterminated string", 1),
        Refusal("\"\\u12\"", .invalid, "\\u needs four hexadecimal digits", 1),
        Refusal("\"\\u12g4\"", .invalid, "\\u needs four hexadecimal digits", 1),
        Refusal("\"\\x41\"", .invalid, "unknown escape", 1),
        Refusal("\"\\U0041\"", .invalid, "unknown escape", 1),
        Refusal("\"a\u{01}\"", .invalid, "unescaped control character in a string", 2),
        Refusal("\"12345678\n\"", .invalid, "unescaped control character in a string", 9),
        Refusal("'a'", .invalid, "expected a value", 0),
        Refusal("[", .truncated, "expected a value, but the text ends", 1),
        Refusal("[1", .truncated, "expected ',' or ']', but the text ends", 2),
        Refusal("[1,", .truncated, "expected a value, but the text ends", 3),
        Refusal("[1,]", .invalid, "expected a value", 3),
        Refusal("[,1]", .invalid, "expected a value", 1),
        Refusal("[1 2]", .invalid, "expected ',' or ']'", 3),
        Refusal("[1}", .invalid, "expected ',' or ']'", 2),
        Refusal("]", .invalid, "expected a value", 0),
        Refusal("{", .truncated, "expected a member name, but the text ends", 1),
        Refusal("{\"a\"", .truncated, "expected ':', but the text ends", 4),
        Refusal("{\"a\":", .truncated, "expected a value, but the text ends", 5),
        Refusal("{\"a\":1", .truncated, "expected ',' or '}', but the text ends", 6),
        Refusal("{\"a\":1,", .truncated, "expected a member name, but the text ends", 7),
        Refusal("{\"a\":1,}", .invalid, "expected a member name", 7),
        Refusal("{a:1}", .invalid, "expected a member name", 1),
        Refusal("{\"a\" 1}", .invalid, "expected ':'", 5),
        Refusal("{\"a\":1]", .invalid, "expected ',' or '}'", 6),
        Refusal("[{]}", .invalid, "expected a member name", 2),
        Refusal("{1:2}", .invalid, "expected a member name", 1),
        Refusal("1 2", .invalid, "expected the end", 2),
        Refusal("{} //", .invalid, "expected the end", 3),
        Refusal("\u{FEFF}1", .invalid, "expected a value", 0),
        Refusal("\u{A0}1", .invalid, "expected a value", 0),
        Refusal("\u{0B}1", .invalid, "expected a value", 0),
        // UTF-8: a lone continuation byte, overlong forms, a surrogate, beyond U+10FFFF, cut off by a quote, by the
        // end.
        Refusal(bytes: [0x22, 0x80, 0x22], .notUTF8, "not UTF-8", 1),
        Refusal(bytes: [0x22, 0xC1, 0xBF, 0x22], .notUTF8, "not UTF-8", 1),
        Refusal(bytes: [0x22, 0xE0, 0x9F, 0xBF, 0x22], .notUTF8, "not UTF-8", 1),
        Refusal(bytes: [0x22, 0xF0, 0x8F, 0xBF, 0xBF, 0x22], .notUTF8, "not UTF-8", 1),
        Refusal(bytes: [0x22, 0xED, 0xA0, 0x80, 0x22], .notUTF8, "not UTF-8", 1),
        Refusal(bytes: [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], .notUTF8, "not UTF-8", 1),
        Refusal(bytes: [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22], .notUTF8, "not UTF-8", 1),
        Refusal(bytes: [0x22, 0x41, 0xE2, 0x82, 0x22], .notUTF8, "not UTF-8", 2),
        Refusal(bytes: [0x22, 0xFF, 0x22], .notUTF8, "not UTF-8", 1),
        Refusal(bytes: [0x22, 0x41, 0xE2, 0x82], .truncated, "unterminated string", 2),
        Refusal(bytes: [0x22, 0xC3], .truncated, "unterminated string", 1),
        Refusal(bytes: [0x00], .invalid, "expected a value", 0),
    ])
    func refusesTheRestAndSaysWhere(refusal: Refusal) {
        let error = #expect(throws: JSONError.self) { try RawJSON(refusal.text) }
        #expect(error?.code == refusal.code)
        #expect(error?.message == refusal.message)
        #expect(error?.offset == refusal.offset)
    }

    @Test func countsLinesAndColumns() {
        let error = #expect(throws: JSONError.self) { try RawJSON(Array("{\n  \"ü\": 1,\r\n\t\"b\": x\n}".utf8)) }
        #expect(error?.line == 3)
        #expect(error?.column == 7)
        #expect(error?.description == "expected a value at line 3, column 7 (byte 20)")
        let second = #expect(throws: JSONError.self) { try RawJSON(Array("\n\n".utf8)) }
        #expect(second?.line == 3)
        #expect(second?.column == 1)
    }

    @Test(arguments: [1, 2, 63, 64, 65, 512, 4096])
    func takesNestingUpToTheLimit(limit: Int) throws {
        func nested(_ depth: Int) -> [UInt8] {
            // Objects and arrays in turn: each level's kind is remembered.
            let levels = (0..<depth).map { $0.isMultiple(of: 3) }
            let opening = levels.map { $0 ? "{\"a\":" : "[" }.joined()
            return Array((opening + "0" + levels.reversed().map { $0 ? "}" : "]" }.joined()).utf8)
        }
        let limits = JSONLimits(nesting: limit)
        let deepest = try RawJSON(nested(limit), limits: limits)
        #expect(deepest.bytes.elementsEqual(nested(limit)))

        let error = #expect(throws: JSONError.self) { try RawJSON(nested(limit + 1), limits: limits) }
        #expect(error?.code == .tooDeep)
        #expect(error?.message == "more than \(limit) levels of nesting")
        // The bracket that is too many.
        let opening = (0..<limit).reduce(0) { $0 + ($1.isMultiple(of: 3) ? 5 : 1) }
        #expect(error?.offset == opening)
    }

    @Test func tellsTheKindsOfManyLevelsApart() {
        var text = Array(String(repeating: "[", count: 500).utf8)
        text += Array(String(repeating: "]", count: 499).utf8) + [UInt8(ascii: "}")]
        #expect(throws: JSONError.self) { try RawJSON(text) }
    }

    @Test func hostileNestingMeetsTheLimitNotTheStack() {
        let limits = JSONLimits(nesting: 1_000_000)
        #expect(limits.nesting == 4096)
        var changed = JSONLimits()
        changed.nesting = 1_000_000
        #expect(changed.nesting == 4096)
        let text = [UInt8](repeating: UInt8(ascii: "["), count: 3_000_000)
        #expect { try RawJSON(text, limits: changed) } throws: { ($0 as? JSONError)?.code == .tooDeep }
    }

    @Test func takesTextUpToTheSizeLimit() throws {
        _ = try RawJSON(Array("[1]".utf8), limits: JSONLimits(size: 3))
        let error = #expect(throws: JSONError.self) { try RawJSON(Array("[1] ".utf8), limits: JSONLimits(size: 3)) }
        #expect(error?.code == .tooLarge)
        #expect(error?.message == "4 bytes, at most 3 are allowed")
    }

    @Test func readsTextInTheMiddleOfAnother() throws {
        let whole = Array("xx[1, 2]xx".utf8)
        let json = try RawJSON(whole[2..<8])
        #expect(json.elements.map(\.integer) == [1, 2])
        let error = #expect(throws: JSONError.self) { try RawJSON(whole[2..<9]) }
        #expect(error?.offset == 6)
    }
}

extension String {
    fileprivate var trimmingJSONWhiteSpace: String {
        let isSpace = { (byte: UInt8) in [0x20, 0x0A, 0x0D, 0x09].contains(byte) }
        let start = utf8.drop(while: isSpace)
        return String(decoding: start.reversed().drop(while: isSpace).reversed(), as: UTF8.self)
    }
}
