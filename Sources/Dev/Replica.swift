internal import EventLoops
internal import Projects
internal import Sidecars
internal import Transports

/// One sidecar and the handler beside it.
struct Replica: Sendable, Identifiable {
    private let sidecar: ServingSidecar
    private let handler: HandlerProcess
    private let hangs: HangSignal

    init(of actor: ProjectActor, _ label: String, isEnd: Bool, in workshop: Workshop) async throws(SettingsError) {
        let folder = workshop.sockets.next()
        let configuration = try workshop.configuration(of: actor, isEnd: isEnd, socketFolder: folder)
        let transport = await workshop.backend.transport(label)
        let hangs = HangSignal()
        sidecar = ServingSidecar(
            configuration, over: transport, on: workshop.loop, logger: workshop.logger(label),
            onRuntimeHang: { hangs.tell() })
        let handler = HandlerProcess(
            label, workshop.handlers.command(for: actor, socketFolder: folder), sidecar.runtime,
            under: workshop.processGuard, on: workshop.loop, sink: workshop.sink)
        self.handler = handler
        self.hangs = hangs
        hangs.listen(on: workshop.loop) { await handler.hung() }
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
        hangs.finish()
    }
}

/// From the sidecar, which is made first, to the handler.
private struct HangSignal: Sendable {
    private let hangs: AsyncStream<Void>
    private let hang: AsyncStream<Void>.Continuation

    init() { (hangs, hang) = AsyncStream.makeStream() }

    func tell() { hang.yield() }

    func finish() { hang.finish() }

    func listen(on loop: EventLoop, _ body: @escaping @Sendable () async -> Void) {
        Task(executorPreference: loop.tasks) { [hangs] in for await _ in hangs { await body() } }
    }
}
