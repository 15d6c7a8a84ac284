import Foundation
import TestSupport
import Testing

@testable import Projects

struct ExampleTests {
    private let folder = TemporaryFolder()

    @Test("what init writes is a project without mistakes", arguments: [false, true])
    func example(withSwift: Bool) throws {
        let path = folder.path + "/reading"
        let files = try ExampleProject(withSwift: withSwift).write(to: path)
        #expect(files.contains("troupe.yaml") && files.contains("handlers/read.py"))
        #expect(files.contains("Sources/measure/Measure.swift") == withSwift)
        let project = try Project.read(path)
        #expect(project.actors.map(\.name) == ["read", "summarise", "measure"])
        #expect(project.tools.routes == ["digest": ["read", "summarise", "measure"]])
        #expect(project.tools.examples(of: "digest").map(\.value) == ["README.md"])
        for file in files {
            let text = try String(contentsOfFile: "\(path)/\(file)", encoding: .utf8)
            #expect(text.hasSuffix("\n") && !text.hasSuffix("\n\n"), "\(file)")
        }
    }

    @Test("nothing is overwritten; what belongs to a folder that was there stays as it was")
    func overwriting() throws {
        try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
        let readme = URL(filePath: folder.path + "/README.md")
        try Data("mine".utf8).write(to: readme)
        #expect(try !ExampleProject().write(to: folder.path).contains("README.md"))
        #expect(try String(contentsOf: readme, encoding: .utf8) == "mine")
        let error = #expect(throws: ExampleError.self) { try ExampleProject().write(to: folder.path) }
        #expect(error?.message.hasPrefix("nothing was written: there is already troupe.yaml, handlers/read.py") == true)
    }

    @Test("a name must be one for a folder and a project", arguments: ["a b", "-x", ".x", "", "/", "a/../..", "ä"])
    func names(name: String) {
        let error = #expect(throws: ExampleError.self) { try ExampleProject().write(to: name) }
        #expect(error?.isUsage == true)
    }

    @Test("docs/dev.md has a row for every key, and for no other")
    func documentation() throws {
        let page = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/dev.md"),
            encoding: .utf8)
        // The first two tables: of the file, and of an actor.
        let tables = page.components(separatedBy: "| key | default | meaning |").dropFirst()
        let keys = tables.map { table in
            Set(
                table.split(separator: "\n").prefix { $0.hasPrefix("|") }
                    .flatMap { $0.split(separator: "|")[0].matches(of: /`([a-zA-Z]+)`/).map { String($0.1) } })
        }
        #expect(keys == [Set(ProjectReader.keys), Set(ProjectReader.actorKeys)])
        for key in ProjectReader.scaleKeys + ProjectReader.retryKeys {
            #expect(page.contains("`\(key)`"), "\(key)")
        }
    }
}
