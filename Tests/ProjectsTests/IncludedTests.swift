import Foundation
import Gateways
import TestSupport
import Testing

@testable import Projects

/// Several projects as one.
struct IncludedTests {
    private let folder = TemporaryFolder()

    init() throws {
        try write("top/one.py", "def process(payload): return payload")
        try write("top/ships/fly.py", "def process(payload): return payload")
        try write(
            "top/ships/troupe.yaml",
            """
            faults: true
            python: .venv/bin/python
            gateway: {port: 9000}
            actors: {ship: fly.py:process, dock: {command: [./dock]}}
            routes: {voyage: [ship, dock]}
            tools: [{name: sail, route: voyage}]
            """)
        try write(
            "top/shop/troupe.yaml", "actors: {till: {command: [./till]}}\ntools: [{name: pay, route: till}]\n")
    }

    private func write(_ name: String, _ text: String) throws {
        let file = URL(filePath: "\(folder.path)/\(name)")
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data((text + "\n").utf8).write(to: file)
    }

    private func read(_ text: String) throws -> Project {
        try write("top/troupe.yaml", text)
        return try Project.read("\(folder.path)/top")
    }

    private func mistakes(_ text: String) -> [String] {
        let error = #expect(throws: FileErrors.self) { try read(text) }
        return (error?.problems ?? []).map { String($0.description.dropFirst(folder.path.count + 5)) }
    }

    @Test("actors, routes and tools of all belong to one, and each handler stays at home")
    func together() throws {
        let project = try read(
            """
            include: [ships, shop]
            actors: {one: one.py:process}
            routes: {all: [one, voyage, till]}
            tools: [{name: everything, route: all}, {name: fly, route: ship}]
            """)
        #expect(project.actors.map(\.name) == ["one", "ship", "dock", "till"])
        #expect(project.routes["all"] == ["one", "ship", "dock", "till"])
        #expect(project.tools.names == ["everything", "fly", "sail", "pay"])
        #expect(project.tools.routes["everything"] == ["one", "ship", "dock", "till"])
        let ships = Home(
            file: "\(folder.path)/top/ships/troupe.yaml", folder: "\(folder.path)/top/ships", python: ".venv/bin/python"
        )
        #expect(project.homes.map(\.folder) == ["", "/ships", "/shop"].map { "\(folder.path)/top\($0)" })
        #expect(project.home(of: project.actors[1]) == ships)
        #expect(project.home(of: project.actors[0]).python == nil)
        #expect(project.hasFaults && project.port == nil)
        #expect(try !read("include: [ships]\nfaults: false").hasFaults)
        #expect(try read("include: [shop]").actors.map(\.name) == ["till"])
    }

    @Test(
        "each mistake is told with its file",
        arguments: [
            ("include: [shops]", ["troupe.yaml:1:11: include: there is no troupe.yaml in 'shops'"]),
            ("include: ships", ["troupe.yaml:1:10: 'include' must be a list"]),
            (
                "include: [ships, ships]",
                ["ship", "dock", "voyage", "sail"].map {
                    "troupe.yaml:1:18: '\($0)' of FOLDER/top/ships/troupe.yaml is also in "
                        + "\($0 == "sail" ? "another project" : "FOLDER/top/ships/troupe.yaml"): one of them needs another name"
                }
            ),
            (
                "include: [shop]\nactors: {till: one.py:process}\ntools: [{name: pay, route: till}]",
                ["till", "pay"].map {
                    "troupe.yaml:1:11: '\($0)' of FOLDER/top/shop/troupe.yaml is also in FOLDER/top/troupe.yaml: "
                        + "one of them needs another name"
                }
            ),
            (
                "include: [ships]\nroutes: {voyage: [ship]}",
                ["troupe.yaml:2:10: route 'voyage' has the name of one of an included project: it could mean either"]
            ),
        ])
    func mistakes(text: String, expected: [String]) {
        #expect(mistakes(text) == expected.map { $0.replacing("FOLDER", with: folder.path) })
    }

    @Test("an included project must be right by itself, and includes none")
    func inside() throws {
        try write("top/shop/troupe.yaml", "include: [../ships]\nactors: {till: missing.py:process}")
        #expect(
            mistakes("include: [shop]").map { $0.prefix { $0 != ";" } } == [
                "shop/troupe.yaml:1:10: a project that is included can include none: name its folders where it is included",
                "shop/troupe.yaml:2:16: handler of actor 'till': there is no file 'missing.py'",
            ])
    }
}
