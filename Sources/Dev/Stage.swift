internal import EventLoops
internal import FoundationEssentials
internal import Projects

/// All actors of a pipeline, and the two that end every route.
actor Stage {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let workshop: Workshop
    /// Where closed envelopes are kept.
    private let results: String
    private var groups: [String: ActorGroup] = [:]
    private var isStopping = false

    init(_ workshop: Workshop, results: String) {
        self.workshop = workshop
        self.results = results
        loop = workshop.loop
    }

    /// Starts what is new, stops what is no more, and both for what has changed.
    func set(_ actors: [ProjectActor]) async {
        let wanted = actors + ends
        await withTaskGroup(of: Void.self) { tasks in
            for (name, group) in groups where !wanted.contains(group.actor) {
                groups[name] = nil
                tasks.addTask { await group.stop(grace: .seconds(3)) }
            }
        }
        await withTaskGroup(of: Void.self) { tasks in
            for actor in wanted where groups[actor.name] == nil && !isStopping {
                let group = ActorGroup(actor, isEnd: ends.contains(actor), in: workshop)
                groups[actor.name] = group
                tasks.addTask { await group.start() }
            }
        }
    }

    /// Their handlers' files have changed.
    func changed(_ names: Set<String>) async {
        for name in names.sorted() { await groups[name]?.changed() }
    }

    func stop(grace: Duration) async {
        isStopping = true
        await withTaskGroup(of: Void.self) { tasks in
            for group in groups.values { tasks.addTask { await group.stop(grace: grace) } }
        }
        groups = [:]
    }

    private var ends: [ProjectActor] {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "troupe"
        return ["happy-end", "error-end"].map { name in
            ProjectActor(
                name: name, handler: .command([program, "crew", name]),
                settings: ["TROUPE_CONCURRENCY": "4"],
                environment: ["TROUPE_RESULTS_DIR": results, "TROUPE_LOG_LEVEL": "warning"])
        }
    }
}
