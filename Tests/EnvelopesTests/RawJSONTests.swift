import Envelopes
import Testing

struct RawJSONTests {
    private func json(_ text: String) throws -> RawJSON { try RawJSON(Array(text.utf8)) }

    @Test func decodesStrings() throws {
        #expect(try json("\"\"").string == "")
        #expect(try json("\"ü€😀\"").string == "ü€😀")
        #expect(try json("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"").string == "\"\\/\u{8}\u{C}\n\r\t")
        #expect(try json("\"\\u0041\\u00fC\\u20AC\\ud83d\\uDE00\\u0000\"").string == "Aü€😀\u{0}")
        #expect(try json("\"a\\u0062c\\\\u0064\"").string == "abc\\u0064")
        #expect(try json("1").string == nil)
    }

    @Test(arguments: ["\\ud800", "\\udc00", "\\ud800x", "\\ud800\\n", "\\ud800\\ud800", "\\udc00\\ud800", "x\\uDBFF"])
    func hasNoStringForHalfASurrogatePair(escapes: String) throws {
        let value = try json("\"\(escapes)\"")
        #expect(value.string == nil)
        #expect(value.description == "\"\(escapes)\"")
    }

    @Test func readsNumbersAndFlags() throws {
        #expect(try json("-12").integer == -12)
        #expect(try json("9223372036854775807").integer == .max)
        #expect(try json("9223372036854775808").integer == nil)
        #expect(try json("1.0").integer == nil)
        #expect(try json("1e2").integer == nil)
        #expect(try json("1e2").double == 100)
        #expect(try json("0.1").double == 0.1)
        #expect(try json("\"1\"").integer == nil)
        #expect(try json("\"1\"").double == nil)
        #expect(try json("true").boolean == true)
        #expect(try json("false").boolean == false)
        #expect(try json("null").boolean == nil)
    }

    @Test func namesKinds() throws {
        let kinds = try ["{}", "[]", "\"\"", "-1", "true", "null"].map { try json($0).kind }
        #expect(kinds == [.object, .array, .string, .number, .boolean, .null])
    }

    @Test func looksInsideAndKeepsOrderAndDoubles() throws {
        let object = try json(" { \"b\" : [ 1 , {} ] , \"a\":null,\"b\":\" x \" } ")
        #expect(object.members.map(\.name) == ["b", "a", "b"])
        #expect(object.members.map(\.value.description) == ["[ 1 , {} ]", "null", "\" x \""])
        #expect(object["b"]?.string == " x ")
        #expect(object["c"] == nil)
        #expect(object.members[0].value.elements.map(\.description) == ["1", "{}"])
        #expect(try json("[]").elements.isEmpty)
        #expect(try json("{}").members.isEmpty)
        #expect(try json("[1]").members.isEmpty)
        #expect(try json("{\"a\":1}").elements.isEmpty)
    }

    @Test func findsEscapedNames() throws {
        let object = try json("{\"\\u0069d\":1,\"a\\\"b\":2,\"\\ud800\":3,\"\\u212A\":4}")
        #expect(object["id"]?.integer == 1)
        #expect(object["a\"b"]?.integer == 2)
        #expect(object.members[2].name == nil)
        // The Kelvin sign is canonically equivalent to K, but another name.
        #expect(object["K"] == nil)
        #expect(object["\u{212A}"]?.integer == 4)
    }

    @Test func writesWhatItReads() throws {
        let text = String(String.UnicodeScalarView((0..<0x3000).compactMap(Unicode.Scalar.init))) + "😀"
        let value = RawJSON(string: text)
        #expect(value.string == text)
        // The scanner agrees that it is JSON.
        #expect(try RawJSON(value.bytes) == value)
        #expect(
            RawJSON(string: "\u{0}\u{1F}\"\\/\n\r\t\u{7F}").description == #""\u0000\u001f\"\\/\n\r\t"# + "\u{7F}\"")
        #expect(RawJSON(integer: .min).integer == .min)
    }

    @Test func writerPlacesCommasAndColons() throws {
        let value = RawJSON { writer in
            writer.beginArray()
            writer.beginObject()
            writer.endObject()
            writer.append(1)
            writer.beginObject()
            writer.name("a")
            writer.beginArray()
            writer.endArray()
            writer.name("b\"")
            writer.append(1.5)
            writer.name("c")
            writer.append(true)
            writer.append(RawJSON.Member(name: "d", value: .null))
            writer.endObject()
            writer.append(string: "x")
            writer.append(Double.infinity)
            writer.append(Double.nan)
            writer.append(1e300)
            writer.endArray()
        }
        #expect(value.description == #"[{},1,{"a":[],"b\"":1.5,"c":true,"d":null},"x",null,null,1e+300]"#)
        #expect(try RawJSON(value.bytes) == value)
    }
}
