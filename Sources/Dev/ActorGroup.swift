internal import EventLoops
internal import Logging
internal import Projects
internal import Sidecars
internal import Transports

/// The replicas of an actor, as many as the project says or its queue asks for.
actor ActorGroup {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    nonisolated let actor: ProjectActor
    private let isEnd: Bool
    private let workshop: Workshop
    /// In the order of their start.
    private var replicas: [Int: Replica] = [:]
    /// Those that finish what they have.
    private var leaving: [ObjectIdentifier: Replica] = [:]
    private var autoscaler: Autoscaler?
    private var scaling: Task<Void, Never>?
    private var wanted: Int
    private var isAdjusting = false
    private var isStopping = false

    /// What runs may take when its replica goes.
    private static let drainTime = Duration.seconds(300)

    init(_ actor: ProjectActor, isEnd: Bool = false, in workshop: Workshop) {
        self.actor = actor
        self.isEnd = isEnd
        self.workshop = workshop
        loop = workshop.loop
        switch actor.replicas {
        case .fixed(let count): wanted = count
        case .scaled(let scale):
            wanted = scale.minimum
            autoscaler = Autoscaler(scale, now: .now)
        }
    }

    func start() async {
        await adjust()
        if let interval = autoscaler?.interval {
            scaling = Task(executorPreference: loop) { [weak self, loop] in
                while !Task.isCancelled {
                    await self?.look()
                    await loop.sleep(for: interval)
                }
            }
        }
    }

    /// The handler's files have changed.
    func changed() async { for replica in replicas.values { await replica.changed() } }

    func stop(grace: Duration) async {
        isStopping = true
        scaling?.cancel()
        // It may be starting one.
        await scaling?.value
        let all = Array(replicas.values) + leaving.values
        replicas = [:]
        await withTaskGroup(of: Void.self) { group in
            for replica in all { group.addTask { await replica.stop(grace: grace) } }
        }
    }

    // MARK: Scaling

    private func look() async {
        let queue = ObservedQueue.actor(actor.name)
        // A broker that is away says nothing, and everything stays as it is.
        let states = try? await workshop.backend.queues.look(at: [queue])
        let messages = states.map { states in
            (states[queue]?.ready ?? 0) + replicas.values.reduce(0) { $0 + $1.inFlight }
        }
        guard !isStopping, var autoscaler else { return }
        let before = autoscaler.replicas
        let hasChanged = autoscaler.look(messages: messages, now: .now)
        self.autoscaler = autoscaler
        guard hasChanged else { return }
        wanted = autoscaler.replicas
        let count = messages ?? 0
        workshop.logger(actor.name).notice(
            "\(before) -> \(wanted) replicas: \(count) \(count == 1 ? "message" : "messages")")
        await adjust()
    }

    /// Starts and stops until there are as many as wanted.
    private func adjust() async {
        if isAdjusting { return }
        isAdjusting = true
        defer { isAdjusting = false }
        while !isStopping, replicas.count != wanted {
            if replicas.count < wanted { await startOne() } else { stopOne() }
        }
    }

    private func startOne() async {
        let number = (1...).first { replicas[$0] == nil } ?? 1
        do throws(SettingsError) {
            let replica = try await Replica(of: actor, label(number), isEnd: isEnd, in: workshop)
            if isStopping {
                await replica.stop(grace: .zero)
            } else {
                replicas[number] = replica
            }
        } catch {
            workshop.logger(actor.name).error("\(error)")
            wanted = replicas.count
        }
    }

    /// The youngest: it finishes what it has, and nobody waits for it.
    private func stopOne() {
        guard let number = replicas.keys.max(), let replica = replicas.removeValue(forKey: number) else { return }
        leaving[replica.id] = replica
        Task(executorPreference: loop) {
            await replica.stop(grace: Self.drainTime)
            await self.hasLeft(replica)
        }
    }

    private func hasLeft(_ replica: Replica) { leaving[replica.id] = nil }

    /// One that is alone needs no number.
    private func label(_ number: Int) -> String {
        switch actor.replicas {
        case .fixed(let count) where count <= 1: actor.name
        default: "\(actor.name)/\(number)"
        }
    }
}
