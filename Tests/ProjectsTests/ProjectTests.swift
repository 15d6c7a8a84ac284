import Foundation
import Gateways
import TestSupport
import Testing

@testable import Projects

struct ProjectTests {
    private let folder = TemporaryFolder()

    init() throws {
        let files = FileManager.default
        try files.createDirectory(atPath: folder.path + "/handlers/deep", withIntermediateDirectories: true)
        for file in ["handlers/split.py", "handlers/words.py", "handlers/deep/er.py", "handlers/not-good.py", "one.py"]
        {
            try Data("def process(payload): return payload\n".utf8).write(to: URL(filePath: "\(folder.path)/\(file)"))
        }
        try Data("// swift-tools-version: 6.2\n".utf8).write(to: URL(filePath: "\(folder.path)/Package.swift"))
    }

    private func parse(_ text: String) throws -> Project { try Project.parse(text, folder: folder.path) }

    @Test("a whole project is read")
    func whole() throws {
        let project = try parse(
            """
            python: .venv/bin/python
            gateway: {port: 9000}
            actors:
              split: handlers/split.py:process
              words:
                handler: handlers.words.Words.process
                mode: envelope
                scale: {min: 1, max: 8, queueLength: 10, cooldown: 5m, period: 1s, stabilization: 0s}
                concurrency: 4
                timeout: 30s
                retry: {attempts: 5, initialDelay: 250ms, factor: 3, maxDelay: 1m, jitter: false, only: [A, B.*], never: [C]}
                environment: {MODEL: small, COUNT: 3, ON: true}
                watch: [handlers/deep]
              served:
                command: [python3, -u, serve.py]
                replicas: 0
              summary:
                swift: summary
            routes:
              first: [split, words]
              all: [first, served, first]
            tools:
              - {name: analyse, route: all, parameters: {text: {type: string}}}
              - {name: short, route: [split, first]}
              - {name: one, route: words}
            """)
        #expect(project.python == ".venv/bin/python" && project.port == 9000 && project.folder == folder.path)
        #expect(project.actors.map(\.name) == ["split", "words", "served", "summary"])
        #expect(
            project.actors[0].handler
                == .python(.init(module: "handlers.split", function: "process", file: "handlers/split.py")))
        let words = project.actors[1]
        #expect(
            words.handler
                == .python(.init(module: "handlers.words", function: "Words.process", file: "handlers/words.py")))
        #expect(
            words.replicas
                == .scaled(
                    Scale(
                        minimum: 1, maximum: 8, queueLength: 10, cooldown: .seconds(300), period: .seconds(1),
                        stabilization: .zero)))
        #expect(
            words.settings == [
                "TROUPE_HANDLER_MODE": "envelope", "TROUPE_CONCURRENCY": "4", "TROUPE_RUNTIME_TIMEOUT": "30s",
                "TROUPE_RETRY_ATTEMPTS": "5", "TROUPE_RETRY_INITIAL_DELAY": "250ms", "TROUPE_RETRY_FACTOR": "3",
                "TROUPE_RETRY_MAX_DELAY": "1m", "TROUPE_RETRY_JITTER": "false", "TROUPE_RETRY_ON": "A,B.*",
                "TROUPE_RETRY_NOT_ON": "C",
            ])
        #expect(words.environment == ["MODEL": "small", "COUNT": "3", "ON": "true"])
        #expect(words.watched == ["handlers/deep"])
        #expect(project.actors[2].handler == .command(["python3", "-u", "serve.py"]))
        #expect(project.actors[2].replicas == .fixed(0))
        #expect(project.actors[3].handler == .swift(package: ".", product: "summary"))
        #expect(project.routes["all"] == ["split", "words", "served", "split", "words"])
        #expect(project.tools.routes["analyse"] == project.routes["all"])
        #expect(project.tools.routes["short"] == ["split", "split", "words"])
        #expect(project.tools.routes["one"] == ["words"])
    }

    /// Stands for @: a good beginning of what is wrong further down.
    private static let actors = "actors: {split: 'handlers/split.py:process', words: 'handlers/words.py:process'}\n"

    @Test(
        "what is wrong is told with its place and a suggestion",
        arguments: [
            // The file.
            ("", "troupe.yaml: holds nothing: it needs 'actors'; `troupe init` writes an example"),
            ("[]", "troupe.yaml:1:1: must be a mapping with 'actors'"),
            ("tools: []", "troupe.yaml:1:1: 'actors' is missing: a project has at least one"),
            (
                "actors:\n\tsplit: handlers/split.py:process",
                "troupe.yaml:2:1: a tab in the indentation: YAML takes no tabs there, indent with spaces"
            ),
            ("actors: {a: [", "troupe.yaml:2:1: is not YAML: did not find expected node content"),
            ("actors: {a: b, a: c}", "troupe.yaml:1:10: the same key twice: 'a'"),
            (
                "@tols: []",
                "troupe.yaml:2:1: the file has the unknown key 'tols' (did you mean 'tools'?); known are: actors, faults, gateway, include, python, defaults, routes, tools, prompts, resources"
            ),
            (
                "@gateway: {port: 80000}",
                "troupe.yaml:2:17: gateway.port must be a whole number from 0 to 65535"
            ),
            ("@gateway: 8080", "troupe.yaml:2:10: 'gateway' must be a mapping with 'port'"),
            // Actors.
            ("actors: []", "troupe.yaml:1:9: 'actors' must be a mapping of names to handlers, at least one"),
            (
                "actors:\n  error-end: handlers/split.py:process",
                "troupe.yaml:2:3: 'error-end' is reserved: Troupe brings it along, and every route leads there by itself"
            ),
            (
                "actors:\n  two words: handlers/split.py:process",
                "troupe.yaml:2:3: 'two words' is no actor name: 1 to 100 of A-Z a-z 0-9 . _ -, beginning with a letter or digit, not ending in -dlq"
            ),
            (
                "actors:\n  a:",
                "troupe.yaml:2:5: actor 'a' must be a handler like handlers/a.py:process, or a mapping with one"
            ),
            (
                "actors:\n  a:\n    handlr: handlers/split.py:process",
                "troupe.yaml:3:5: actor 'a' has the unknown key 'handlr' (did you mean 'handler'?); known are: handler, mode, command, swift, replicas, scale, retry, environment, watch, concurrency, timeout, faults\ntroupe.yaml:3:5: actor 'a' has no handler: 'handler' names a function in Python, 'command' a program, 'swift' a target"
            ),
            (
                "actors:\n  a: {handler: 'one.py:process', command: [x]}",
                "troupe.yaml:2:43: actor 'a' has 'handler' and 'command': only one of them can be meant"
            ),
            (
                "actors: {a: handlers/splt.py:process}",
                "troupe.yaml:1:13: handler of actor 'a': there is no file 'handlers/splt.py' (did you mean 'handlers/split.py'?)"
            ),
            (
                "actors: {a: handlers/split.py}",
                "troupe.yaml:1:13: handler of actor 'a': 'handlers/split.py' names no function: write handlers/split.py:process"
            ),
            (
                "actors: {a: 'handlers/split:process'}",
                "troupe.yaml:1:13: handler of actor 'a': 'handlers/split:process' must be a file and a function, like handlers/split.py:process"
            ),
            (
                "actors: {a: 'one.py:2nd'}",
                "troupe.yaml:1:13: handler of actor 'a': '2nd' is no function: it must be like process, or Class.process"
            ),
            (
                "actors: {a: '../one.py:process'}",
                "troupe.yaml:1:13: handler of actor 'a': '../one.py' must be in the project's folder, and named from there"
            ),
            (
                "actors: {a: 'handlers/not-good.py:process'}",
                "troupe.yaml:1:13: handler of actor 'a': Python cannot import 'handlers/not-good.py': 'not-good' must have letters, digits and _ only, no digit first"
            ),
            (
                "actors: {a: {command: python3}}",
                "troupe.yaml:1:23: command of actor 'a' must be a list of a program and its arguments, like [python3, serve.py]"
            ),
            (
                "actors: {a: {swift: {package: nowhere, product: x}}}",
                "troupe.yaml:1:31: swift of actor 'a': there is no Package.swift in 'nowhere'; write swift: {package: folder, product: name} for one that is elsewhere"
            ),
            (
                "actors: {a: {command: [x], mode: envelope}}",
                "troupe.yaml:1:34: mode of actor 'a' is for handlers in Python: others know their own"
            ),
            (
                "actors: {a: {handler: 'one.py:process', mode: raw}}",
                "troupe.yaml:1:47: mode of actor 'a' must be one of: payload, envelope"
            ),
            (
                "actors: {a: {handler: 'one.py:process', replicas: many}}",
                "troupe.yaml:1:51: replicas of actor 'a' must be a whole number from 0 to 64"
            ),
            (
                "actors: {a: {handler: 'one.py:process', replicas: 1, scale: {max: 0}}}",
                "troupe.yaml:1:51: actor 'a' has both 'replicas' and 'scale': only one of them can be meant\ntroupe.yaml:1:67: max in scale of actor 'a' must be a whole number from 1 to 64"
            ),
            (
                "actors: {a: {handler: 'one.py:process', scale: {min: 3, max: 2, quelength: 1}}}",
                "troupe.yaml:1:62: max in scale of actor 'a' is 2, less than min, which is 3\ntroupe.yaml:1:65: scale of actor 'a' has the unknown key 'quelength' (did you mean 'queueLength'?); known are: min, max, queueLength, cooldown, period, stabilization"
            ),
            (
                "actors: {a: {handler: 'one.py:process', concurrency: 0, timeout: soon}}",
                "troupe.yaml:1:54: concurrency of actor 'a': '0' is no whole number from 1 to 1024\ntroupe.yaml:1:66: timeout of actor 'a': 'soon' is no time span from 0.01 seconds to 86400.0 seconds, written like 250ms, 30s, 5m or 1h"
            ),
            (
                "actors: {a: {handler: 'one.py:process', retry: {attempts: x, never: ['(']}}}",
                "troupe.yaml:1:59: attempts in retry of actor 'a': 'x' is no whole number from 1 to 1000\ntroupe.yaml:1:69: never in retry of actor 'a': '(' is no error type or POSIX regular expression"
            ),
            (
                "actors: {a: {handler: 'one.py:process', environment: {A-B: 1, C: [1], TROUPE_HANDLER: x}}}",
                "troupe.yaml:1:55: environment of actor 'a': a name has letters, digits and _, and begins with no digit\ntroupe.yaml:1:66: environment of actor 'a': C must be a single value\ntroupe.yaml:1:71: environment of actor 'a': TROUPE_HANDLER is set from the actor's own keys"
            ),
            (
                "actors: {a: {handler: 'one.py:process', watch: [nowhere]}}",
                "troupe.yaml:1:49: watch of actor 'a': there is no 'nowhere'"
            ),
            // Routes.
            ("@routes: [a]", "troupe.yaml:2:9: 'routes' must be a mapping of names to lists of actors"),
            ("@routes: {r: []}", "troupe.yaml:2:13: route 'r' must be a list of actors, at least one"),
            (
                "@routes: {split: [words]}",
                "troupe.yaml:2:10: route 'split' has the name of an actor: a route could mean either"
            ),
            (
                "@routes: {r: [splitt, happy-end, [x]]}",
                "troupe.yaml:2:14: route 'r': 'splitt' is no actor and no route (did you mean 'split'?)\ntroupe.yaml:2:22: route 'r': 'happy-end' is reserved: every route leads there by itself\ntroupe.yaml:2:33: route 'r': a step must be the name of an actor or a route"
            ),
            (
                "@routes: {a: [split, b], b: [c], c: [a]}",
                "troupe.yaml:2:37: route 'c' leads back to itself (a -> b -> c -> a) and would never end; for a loop with a pause, let an envelope-mode handler add the next steps to its route, with the header troupe-delay-ms"
            ),
            // Tools.
            (
                "@tools: [{name: t, route: [split, word]}, {name: u, route: al}]",
                "troupe.yaml:2:34: route of tool 't': 'word' is no actor and no route (did you mean 'words'?)\ntroupe.yaml:2:59: route of tool 'u': 'al' is no actor and no route"
            ),
            ("@tools: [{nam: t}]", "troupe.yaml:2:9: a tool without 'name'"),
        ])
    func mistakes(text: String, expected: String) {
        let text = text.hasPrefix("@") ? Self.actors + text.dropFirst() : text
        let error = #expect(throws: FileErrors.self) { try parse(text) }
        #expect(error?.description == expected)
    }

    @Test("what a route may include is bounded")
    func longRoutes() throws {
        let doubled = (1...30).map { "  r\($0): [r\($0 - 1), r\($0 - 1)]" }.joined(separator: "\n")
        let error = #expect(throws: FileErrors.self) {
            try parse(Self.actors + "routes:\n  r0: [split, split]\n\(doubled)\n")
        }
        #expect(error?.problems.first?.message == "route 'r9' has more than 1000 steps")
    }

    @Test("what is not there, not text or too large is refused")
    func files() throws {
        let file = folder.path + "/troupe.yaml"
        func error() -> String? { #expect(throws: FileErrors.self) { try Project.read(folder.path) }?.description }
        #expect(error() == "\(file): there is no such file: `troupe init` makes one")
        try Data("actors:\n  a: b\u{E9}\n".data(using: .isoLatin1) ?? Data()).write(to: URL(filePath: file))
        #expect(error() == "\(file):2:7: is not UTF-8")
        try Data(count: (1 << 20) + 1).write(to: URL(filePath: file))
        #expect(error() == "\(file): is larger than 1 MiB, or cannot be read")
        try Data("actors: {a: 'one.py:process'}".utf8).write(to: URL(filePath: file))
        #expect(try Project.read(file).actors.count == 1)
        #expect(try Project.read(folder.path + "/").folder == folder.path)
    }
}
