internal import EventLoops
internal import Projects
internal import Sidecars
internal import Transports

/// One sidecar and the handler beside it.
struct Replica: Sendable, Identifiable {
    private let sidecar: ServingSidecar
    private let handler: HandlerProcess
    private let troubles: RuntimeTroubles

    init(of actor: ProjectActor, _ label: String, isEnd: Bool, in workshop: Workshop) async throws(SettingsError) {
        let folder = workshop.sockets.next()
        let configuration = try workshop.configuration(of: actor, isEnd: isEnd, socketFolder: folder)
        let transport = await workshop.backend.transport(label)
        let troubles = RuntimeTroubles()
        sidecar = ServingSidecar(
            configuration, over: transport, on: workshop.loop, logger: workshop.logger(label),
            crashRuntime: { troubles.tell(.isToCrash) }, onRuntimeHang: { troubles.tell(.hangs) })
        let handler = HandlerProcess(
            label, workshop.handlers.command(for: actor, socketFolder: folder), sidecar.runtime,
            under: workshop.processGuard, on: workshop.loop, sink: workshop.sink)
        self.handler = handler
        self.troubles = troubles
        troubles.listen(on: workshop.loop) { trouble in
            switch trouble {
            case .hangs: await handler.hung()
            case .isToCrash: await handler.crash()
            }
        }
        await handler.begin()
        await sidecar.start()
    }

    var id: ObjectIdentifier { ObjectIdentifier(sidecar) }

    /// Deliveries that are not settled.
    var inFlight: Int { sidecar.inFlight }

    /// The handler's files have changed.
    func changed() async { await handler.changed() }

    /// Takes nothing new, lets what runs finish for as long as `grace`, then ends the handler. A second call may shorten
    /// the first.
    func stop(grace: Duration) async {
        await sidecar.stop(grace: grace)
        await handler.stop(grace: .seconds(1))
        await sidecar.finish()
        troubles.finish()
    }
}

/// From the sidecar, which is made first, to the handler.
private struct RuntimeTroubles: Sendable {
    enum Trouble: Sendable {
        case hangs
        /// On purpose.
        case isToCrash
    }

    private let troubles: AsyncStream<Trouble>
    private let trouble: AsyncStream<Trouble>.Continuation

    init() { (troubles, trouble) = AsyncStream.makeStream() }

    func tell(_ trouble: Trouble) { self.trouble.yield(trouble) }

    func finish() { trouble.finish() }

    func listen(on loop: EventLoop, _ body: @escaping @Sendable (Trouble) async -> Void) {
        Task(executorPreference: loop) { [troubles] in for await trouble in troubles { await body(trouble) } }
    }
}
