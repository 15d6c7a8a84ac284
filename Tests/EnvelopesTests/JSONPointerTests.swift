import Envelopes
import Testing

@Suite struct JSONPointerTests {
    @Test(arguments: [
        ("", ""), ("plain", "plain"), ("a/b", "a~1b"), ("m~n", "m~0n"), ("~1", "~01"), ("~/~", "~0~1~0"),
        ("é/日", "é~1日"),
    ])
    func partsAreEscapedAsTheRFCSays(_ part: String, _ escaped: String) {
        #expect(JSONPointer.escaped(part) == escaped)
        #expect(JSONPointer.unescaped(escaped) == part)
    }

    @Test(arguments: [("~", "~"), ("~~1", "~/"), ("~2", "~2"), ("a~", "a~"), ("~~", "~~")])
    func whatIsNoEscapeStays(_ text: String, _ part: String) { #expect(JSONPointer.unescaped(text) == part) }
}
