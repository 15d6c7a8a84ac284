import EventLoops
import Foundation
import Gateways
import Projects
import Synchronization
import TestSupport
import Testing

@testable import Dev

struct FolderWatchTests {
    private let folder: TemporaryFolder
    private let files = FileManager.default

    init() throws {
        folder = TemporaryFolder()
        for name in ["handlers/deep", "prompts", ".git"] {
            try files.createDirectory(atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
        }
        for name in ["handlers/a.py", "handlers/b.py", "handlers/deep/c.py", "serve.js", "prompts/p.txt"] {
            try Data("x".utf8).write(to: URL(filePath: "\(folder.path)/\(name)"))
        }
    }

    private final class Seen: Sendable {
        let changes = Mutex<[Set<String>]>([])
    }

    private func python(_ name: String, _ file: String) -> ProjectActor {
        ProjectActor(name: name, handler: .python(.init(module: "m", function: "f", file: file)))
    }

    private func plan() -> WatchPlan {
        var b = python("b", "handlers/b.py")
        b.watched = ["prompts", "serve.js"]
        let c = python("c", "handlers/deep/c.py")
        let d = ProjectActor(name: "d", handler: .command(["node", "serve.js"]))
        return WatchPlan(project([python("a", "handlers/a.py"), b, c, d]))
    }

    private func project(_ actors: [ProjectActor]) -> Project {
        Project(file: "troupe.yaml", folder: folder.path, actors: actors, routes: [:], tools: .init())
    }

    @Test(arguments: [
        ("handlers/a.py", ["a"]), ("handlers/b.py", ["b"]), ("handlers/common.py", ["a", "b"]),
        ("handlers/deep/c.py", ["c"]), ("handlers/deep/other.py", ["a", "b", "c"]), ("handlers/a.txt", []),
        ("prompts/p.txt", ["b"]), ("serve.js", ["b", "d"]), ("other.py", []),
    ])
    func aChangeConcernsThoseThatMayHaveReadIt(file: String, actors: [String]) {
        #expect(plan().actors(concernedBy: ["\(folder.path)/\(file)"]) == Set(actors))
    }

    @Test func ofAnIncludedProjectTheFilesLieInItsOwnFolder() {
        var c = python("c", "deep/c.py")
        c.home = Home(file: "handlers/troupe.yaml", folder: "\(folder.path)/handlers")
        let plan = WatchPlan(project([python("a", "handlers/a.py"), c]))
        #expect(plan.actors(concernedBy: ["\(folder.path)/handlers/deep/c.py"]) == ["c"])
        #expect(plan.actors(concernedBy: ["\(folder.path)/deep/c.py"]) == [])
    }

    @Test func whatEditorsDoIsSeenOnceAndHiddenFilesAreNot() async throws {
        let loop = EventLoop(name: "test")
        let seen = Seen()
        let root = folder.path
        let isWatching = await Task(executorPreference: loop) { @Sendable in
            let watch = FolderWatch(on: loop) { paths in
                seen.changes.withLock { $0.append(Set(paths.map { String($0.dropFirst(root.count + 1)) })) }
            }
            guard let watch, watch.add(root, isDeep: true) else { return false }
            // Kept for as long as the loop turns.
            loop.schedule(after: .seconds(60)) { watch.close() }
            return true
        }.value
        #expect(isWatching)
        func write(_ name: String) throws { try Data("y".utf8).write(to: URL(filePath: "\(root)/\(name)")) }
        func next(_ what: String) async throws -> Set<String> {
            try await eventually(what) { !seen.changes.withLock(\.isEmpty) }
            return seen.changes.withLock { $0.removeFirst() }
        }
        // In place, and aside with a move over it.
        try write("handlers/a.py")
        try write(".git/index")
        try write("handlers/.a.py.swp")
        try write("handlers/new.tmp")
        #expect(rename("\(root)/handlers/new.tmp", "\(root)/handlers/b.py") == 0)
        #expect(try await next("a change") == ["handlers/a.py", "handlers/new.tmp", "handlers/b.py"])
        try files.removeItem(atPath: root + "/handlers/deep/c.py")
        #expect(try await next("a removal") == ["handlers/deep/c.py"])
        // A folder that comes later, with what is in it.
        try files.createDirectory(atPath: root + "/handlers/later", withIntermediateDirectories: false)
        try await Task.sleep(for: .milliseconds(200))
        try write("handlers/later/d.py")
        #expect(try await next("a file in a new folder") == ["handlers/later/d.py"])
        loop.stop()
    }
}
