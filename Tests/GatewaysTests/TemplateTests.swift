import Envelopes
import Testing

@testable import Gateways

@Suite("Templates")
struct TemplateTests {
    @Test(
        "names in braces are places, all else is text",
        arguments: [
            ("", ""), ("plain", "plain"), ("a {x} b", "a 1 b"), ("{x}{y}{x}", "121"), ("{{x}}", "{x}"),
            (#"{"id":"{x}","o":{"a":{}}}"#, #"{"id":"1","o":{"a":{}}}"#), ("{", "{"), ("{}", "{}"), ("{x", "{x"),
            ("{x}}", "1}"), ("{ x }", "{ x }"), ("{unset}.", "."), ("{{x}", "{1"),
        ])
    func text(_ text: String, _ expected: String) {
        #expect(Template(text).text(["x": "1", "y": "2"]) == expected)
        #expect(Template(text).source == text)
        #expect(Template(verbatim: text).text(["x": "1"]) == text)
    }

    @Test("values aren't looked into again")
    func nested() { #expect(Template("{x}").text(["x": "{y}", "y": "no"]) == "{y}") }

    @Test(
        "a URI gives its template's values back",
        arguments: [
            ("test://template/{id}/data", "test://template/123/data", ["id": "123"]),
            ("d://{a}-{b}", "d://1-2-3", ["a": "1", "b": "2-3"]), ("d://{a}", "d://%C3%A4%2Fx", ["a": "ä/x"]),
            ("d://{a}/{a}", "d://1/1", ["a": "1"]), ("d://fixed", "d://fixed", [:]),
        ])
    func values(_ template: String, _ uri: String, _ values: [String: String]) {
        #expect(resource(template).values(in: uri) == values)
    }

    @Test(
        "what doesn't fit doesn't",
        arguments: [
            ("test://template/{id}/data", "test://template//data"), ("test://template/{id}/data", "test://template/1"),
            ("d://{a}", "d://1/2"), ("d://{a}", "d://1?q"), ("d://{a}", "d://%"), ("d://{a}", "d://%+1"),
            ("d://{a}", "d://%FF"), ("d://{a}/{a}", "d://1/2"), ("d://fixed", "d://fixed2"), ("d://fixed", "d://"),
        ])
    func strangers(_ template: String, _ uri: String) { #expect(resource(template).values(in: uri) == nil) }

    private func resource(_ uri: String) -> Resource {
        Resource(uri: Template(uri), name: "r", mimeType: "text/plain", body: .text(Template("")))
    }
}
