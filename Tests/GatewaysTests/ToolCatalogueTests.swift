import Envelopes
import Foundation
import Testing

@testable import Gateways

@Suite("Tools")
struct ToolCatalogueTests {
    private static let example = """
        defaults: {progress: false, timeout: 5m}
        routes:
          texts: [split, keywords]
        tools:
          - name: summarise
            description: Summarises
            parameters:
              text: {type: string, required: true}
              count: {type: integer, default: 3}
              mode: {type: string, options: [short, long], default: short}
              tags: {type: array, items: {type: string}}
              limits: {type: object, properties: {low: {type: number, required: true}, high: {type: number}}}
              strict: {type: boolean}
            route: texts
            metadata: {owner: docs, big: 12345678901234567890, nothing: null}
          - name: other
            route: [a]
            progress: true
            timeout: 2.5
        """

    @Test("a file is read with its defaults and routes")
    func read() throws {
        let catalogue = try ToolCatalogue.parse(Self.example)
        let tool = try #require(catalogue["summarise"])
        #expect(tool.route == ["split", "keywords"])
        #expect(tool.timeoutSeconds == 300)
        #expect(!tool.reportsProgress)
        #expect(tool.metadata?.description == #"{"owner":"docs","big":12345678901234567890,"nothing":null}"#)
        #expect(tool.parameters.map(\.name) == ["text", "count", "mode", "tags", "limits", "strict"])
        let other = try #require(catalogue["other"])
        #expect(other.reportsProgress)
        #expect(other.timeoutSeconds == 2.5)
        #expect(catalogue["nobody"] == nil)
    }

    @Test("defaults are filled in, what isn't declared passes through, bytes stay")
    func payload() throws {
        let tool = try #require(try ToolCatalogue.parse(Self.example)["summarise"])
        let arguments = try RawJSON(Array(#"{ "more": 1e400, "text":"\u0041", "count":5.0 }"#.utf8))
        #expect(
            try tool.payload(for: arguments).description
                == #"{"more":1e400,"text":"\u0041","count":5.0,"mode":"short"}"#)
        let complete = try RawJSON(Array(#"{"text":"x", "count":1 ,"mode":"long"}"#.utf8))
        #expect(try tool.payload(for: complete).description == complete.description)
    }

    @Test(
        "wrong arguments are named",
        arguments: [
            ("{}", "missing required parameter: text"),
            (#"{"text":1}"#, "parameter 'text' must be a string, is a number"),
            (#"{"text":null}"#, "parameter 'text' must be a string, is null"),
            (#"{"text":"x","count":1.5}"#, "parameter 'count' must be an integer, is a number"),
            (#"{"text":"x","count":"1"}"#, "parameter 'count' must be an integer, is a string"),
            (#"{"text":"x","mode":"medium"}"#, "parameter 'mode' must be one of: \"short\", \"long\""),
            (#"{"text":"x","tags":["a",2]}"#, "parameter 'tags[1]' must be a string, is a number"),
            (#"{"text":"x","tags":{}}"#, "parameter 'tags' must be an array, is an object"),
            (#"{"text":"x","limits":{}}"#, "missing required parameter: limits.low"),
            (#"{"text":"x","limits":{"low":"1"}}"#, "parameter 'limits.low' must be a number, is a string"),
            (#"{"text":"x","strict":0}"#, "parameter 'strict' must be a boolean, is a number"),
        ])
    func wrongArguments(arguments: String, message: String) throws {
        let tool = try #require(try ToolCatalogue.parse(Self.example)["summarise"])
        let problem = #expect(throws: ArgumentProblem.self) { try tool.payload(for: RawJSON(Array(arguments.utf8))) }
        #expect(problem?.message == message)
    }

    @Test(
        "whole numbers are whole however they are written",
        arguments: [
            ("5", true), ("-0", true), ("5.0", true), ("5.10", false), ("1e3", true), ("1.5e1", true), ("1.5e0", false),
            ("15e-1", false),
            ("150e-1", true), ("0e-9", true), ("123456789012345678901234567890", true),
            ("1e999999999999999999999", true),
            ("1e-999999999999999999999", false),
        ])
    func integers(text: String, isInteger: Bool) throws {
        #expect(try RawJSON(Array(text.utf8)).isInteger == isInteger)
    }

    @Test("all mistakes are reported at once, with their lines")
    func mistakes() throws {
        let error = #expect(throws: FileErrors.self) {
            try ToolCatalogue.parse(
                """
                defaults: {progress: maybe, speed: 1}
                routes: {r: []}
                tools:
                  - description: nameless
                  - name: "two words"
                    route: [a]
                  - name: twice
                    route: [a]
                  - name: twice
                    route: nowhere
                  - name: ends
                    route: [a, happy-end, "b c"]
                    timeout: -1
                  - name: params
                    route: [a]
                    parameters:
                      p: {type: text}
                      q: {type: integer, default: x, options: [1, y]}
                      r: {type: string, items: {type: string}}
                      s: string
                  - name: routeless
                """, file: "t.yaml")
        }
        let text = try #require(error).description
        let expected = [
            "t.yaml:1: defaults.progress must be true or false", "t.yaml:1: 'defaults' has the unknown key 'speed'",
            "t.yaml:2: route 'r' must be a list of actors, at least one", "t.yaml:4: a tool without 'name'",
            "t.yaml:5: tool name 'two words'", "t.yaml:9: tool 'twice' is defined already, at t.yaml:7",
            "t.yaml:10: tool 'twice' names the route 'nowhere'",
            "t.yaml:12: route of tool 'ends': 'happy-end' is reserved",
            "t.yaml:12: route of tool 'ends': 'b c' is no name of an actor",
            "t.yaml:13: timeout of tool 'ends' must be",
            "t.yaml:17: type of parameter 'p' of tool 'params' must be one of",
            "t.yaml:18: option \"y\" of parameter 'q'",
            "t.yaml:18: parameter 'q' of tool 'params': parameter 'default' must be an integer, is a string",
            "t.yaml:19: 'items' of parameter 'r'", "t.yaml:20: parameter 's' of tool 'params' must be a mapping",
            "t.yaml:21: tool 'routeless' has no 'route'",
        ]
        for line in expected { #expect(text.contains(line), "\(line) is not in:\n\(text)") }
    }

    @Test(
        "what is no tool file is refused, not crashed on",
        arguments: [
            "", "---", "[]", "tools", "tools: {}", "a: [", "tools: [\u{1}]", "x: &a [*a]", "tools:\n\t- name: x",
            "tools: [1]", "{a: 1, a: 2}",
        ])
    func broken(text: String) {
        #expect(throws: FileErrors.self) { try ToolCatalogue.parse(text) }
    }

    @Test("a folder's files are read in order; duplicates across files are found")
    func folder() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tools-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("tools: [{name: b, route: [x]}]".utf8).write(to: folder.appending(path: "2.yml"))
        try Data("tools: [{name: a, route: [x]}]".utf8).write(to: folder.appending(path: "1.yaml"))
        try Data("not yaml: [".utf8).write(to: folder.appending(path: "notes.txt"))
        #expect(try ToolCatalogue.read(folder.path).tools.map(\.name) == ["a", "b"])
        try Data("tools: [{name: a, route: [x]}]".utf8).write(to: folder.appending(path: "3.yaml"))
        try Data([0x74, 0xFF, 0xFE]).write(to: folder.appending(path: "4.yaml"))
        let error = #expect(throws: FileErrors.self) { try ToolCatalogue.read(folder.path) }
        #expect(
            error?.description.contains("3.yaml:1: tool 'a' is defined already, at \(folder.path)/1.yaml:1") == true)
        #expect(error?.description.contains("4.yaml: is not UTF-8") == true)
        #expect(throws: FileErrors.self) { try ToolCatalogue.read("/nowhere/tools.yaml") }
    }
}
