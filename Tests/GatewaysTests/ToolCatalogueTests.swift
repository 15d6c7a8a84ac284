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
        let text = try #require(error).problems.map { "\($0.file):\($0.line ?? 0): \($0.message)" }.joined(
            separator: "\n")
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

    @Test("prompts and resources are read, with files beside the tool file")
    func promptsAndResources() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tools-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("Say {name}".utf8).write(to: folder.appending(path: "hello.md"))
        try Data([0x89, 0x50, 0xFF]).write(to: folder.appending(path: "dot.png"))
        try Data(
            """
            prompts:
              - name: greet
                title: Greeting
                description: Greets somebody
                arguments:
                  - {name: name, description: Whom, required: true}
                  - {name: tone, options: [kind, stern]}
                messages:
                  - text: "Greet {name}, {{tone}} is {tone}"
                  - {role: assistant, image: {mimeType: image/png, file: dot.png}}
                  - audio: {mimeType: audio/wav, data: AAEC}
                  - resource: "troupe://envelopes/{name}"
                  - resource: {uri: "x://{name}", mimeType: text/markdown, file: hello.md}
            resources:
              - {uri: "docs://hello", name: hello, file: hello.md, mimeType: text/markdown}
              - {uri: "docs://dot", file: dot.png, description: A dot}
              - {uri: "docs://{id}/data", name: data, text: 'No. {id}'}
            """.utf8
        ).write(to: folder.appending(path: "tools.yaml"))
        let catalogue = try ToolCatalogue.read(folder.path)
        #expect(catalogue.tools.isEmpty)
        let prompt = try #require(catalogue.prompt("greet"))
        #expect(prompt.arguments.map(\.isRequired) == [true, false])
        #expect(prompt.arguments[1].options == ["kind", "stern"])
        #expect(prompt.messages.map(\.role) == [.user, .assistant, .user, .user, .user])
        #expect(prompt.messages[0].content == .text(Template("Greet {name}, {{tone}} is {tone}")))
        #expect(
            prompt.messages[1].content == .media(.init(kind: .image, data: "iVD/", mimeType: "image/png")))
        #expect(prompt.messages[3].content == .resource(Template("troupe://envelopes/{name}")))
        #expect(
            prompt.messages[4].content
                == .embedded(uri: Template("x://{name}"), mimeType: "text/markdown", .text(Template("Say {name}"))))
        #expect(catalogue.resources.map(\.isTemplate) == [false, false, true])
        #expect(catalogue.resources[0].body == .text(Template(verbatim: "Say {name}")), "no template, no places")
        #expect(catalogue.resources[1].body == .data("iVD/"))
        #expect(catalogue.resources[1].mimeType == "application/octet-stream")
        #expect(catalogue.resource(at: "docs://7/data")?.values == ["id": "7"])
        #expect(catalogue.resource(at: "docs://nothing") == nil)
    }

    @Test("the examples in docs/mcp.md are right")
    func documentation() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/mcp.md"), encoding: .utf8)
        let examples = page.split(separator: "```yaml\n").dropFirst().map {
            $0.prefix(upTo: $0.firstRange(of: "```")!.lowerBound)
        }
        #expect(examples.count == 3)
        let folder = FileManager.default.temporaryDirectory.appending(path: "tools-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in ["style.md", "sample.png", "handbook.md"] {
            try Data("x".utf8).write(to: folder.appending(path: name))
        }
        for (index, example) in examples.enumerated() {
            try Data(example.utf8).write(to: folder.appending(path: "\(index).yaml"))
        }
        let catalogue = try ToolCatalogue.read(folder.path)
        #expect(catalogue.tools.count == 1 && catalogue.prompts.count == 1 && catalogue.resources.count == 2)
    }

    @Test("mistakes in prompts and resources are reported with their lines")
    func promptMistakes() throws {
        let error = #expect(throws: FileErrors.self) {
            try ToolCatalogue.parse(
                """
                prompts:
                  - description: nameless
                  - name: "two words"
                  - name: p
                    arguments: [{name: a}, {name: a}, {name: "b c"}, {name: d, options: [1], reqired: true}]
                    messages:
                      - text: "{a} {other}"
                      - {role: system, text: x}
                      - {text: x, image: y}
                      - image: {mimeType: text/plain, data: AAEC}
                      - audio: {mimeType: audio/wav, data: "?"}
                      - image: {mimeType: image/png, file: /nowhere/x.png}
                      - resource: {uri: "a://b"}
                      - resource: {text: x}
                  - {name: p, messages: []}
                resources:
                  - {name: uriless, text: x}
                  - {uri: "no scheme", text: x}
                  - {uri: "troupe://mine", text: x}
                  - {uri: "d://{a}{b}", text: x}
                  - {uri: "d://{a b}", text: x}
                  - {uri: "d://x/{a}", text: "{b}"}
                  - {uri: "d://twice", text: x}
                  - {uri: "d://twice", text: x}
                  - {uri: "d://empty"}
                  - {uri: "d://both", text: x, data: AAEC}
                  - {uri: "d://none", file: /nowhere/y.md}
                tools: [{name: t, route: [a], result: xml, task: maybe}]
                """, file: "t.yaml")
        }
        let text = try #require(error).problems.map { "\($0.file):\($0.line ?? 0): \($0.message)" }.joined(
            separator: "\n")
        let expected = [
            "t.yaml:2: a prompt without 'name'", "t.yaml:3: prompt name 'two words' must",
            "t.yaml:5: prompt 'p' has the argument 'a' twice", "t.yaml:5: an argument of prompt 'p' must be",
            "t.yaml:5: argument 'd' of prompt 'p' has the unknown key 'reqired'",
            "t.yaml:7: a message of prompt 'p' has {other}",
            "t.yaml:8: role of a message of prompt 'p' must be one of: user,",
            "t.yaml:9: a message of prompt 'p' must be a mapping with one of: text, image",
            "t.yaml:10: mimeType of the image of a message of prompt 'p' must begin with image/",
            "t.yaml:11: data of the audio of a message of prompt 'p' must be base64",
            "t.yaml:12: file of the image of a message of prompt 'p': '/nowhere/x.png' cannot be read",
            "t.yaml:13: the resource of a message of prompt 'p' must have one of: text, file, data",
            "t.yaml:14: the resource of a message of prompt 'p' has no 'uri'",
            "t.yaml:15: prompt 'p' is defined already, at t.yaml:4", "t.yaml:15: prompt 'p' has no 'messages'",
            "t.yaml:17: a resource without 'uri'", "t.yaml:18: resource 'no scheme': a uri must begin with a scheme",
            "t.yaml:19: resource 'troupe://mine': troupe:// is for the gateway's own",
            "t.yaml:20: resource 'd://{a}{b}': a uri must have something between",
            "t.yaml:21: resource 'd://{a b}': a uri",
            "t.yaml:22: resource 'd://x/{a}' has {b}, which is none",
            "t.yaml:24: resource 'd://twice' is defined already",
            "t.yaml:25: resource 'd://empty' must have one of", "t.yaml:26: resource 'd://both' must have one of",
            "t.yaml:27: file of resource 'd://none': '/nowhere/y.md' cannot be read",
            "t.yaml:28: result of tool 't' must be one of: json, content",
            "t.yaml:28: task of tool 't' must be one of: optional, required, forbidden",
        ]
        for line in expected { #expect(text.contains(line), "\(line) is not in:\n\(text)") }
        #expect(error?.problems.count == expected.count, "\(text)")
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
            error?.description.contains("3.yaml:1:16: tool 'a' is defined already, at \(folder.path)/1.yaml:1") == true)
        #expect(error?.description.contains("4.yaml:1:2: is not UTF-8") == true)
        #expect(throws: FileErrors.self) { try ToolCatalogue.read("/nowhere/tools.yaml") }
    }
}
