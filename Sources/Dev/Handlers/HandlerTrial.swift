public import Envelopes
internal import EventLoops
internal import Glibc
internal import Logging
public import Projects
public import Settings
internal import Sidecars

/// One call of one handler in its real runtime, without queues: for quick tries.
public struct HandlerTrial: Sendable {
    public enum Outcome: Sendable, Hashable {
        /// What would go on, in order. Of a handler in envelope mode with its route and headers, of another one the payloads.
        case results([RawJSON])
        case failed(Failure)
        /// The process has ended, or cannot load its handler; what it wrote says why.
        case ended(String)
    }

    public struct Failure: Sendable, Hashable {
        /// `ValueError`, or a code.
        public var type: String
        /// The traceback is among what the runtime writes.
        public var message: String
    }

    private let project: Project
    private let actor: ProjectActor
    private let settings: Settings
    private let sink: LogSink

    /// - Parameters:
    ///   - project: whose folder the handler runs in.
    ///   - settings: of the process.
    ///   - sink: gets what the handler writes and emits.
    public init(_ actor: ProjectActor, of project: Project, settings: Settings, sink: @escaping LogSink) {
        self.actor = actor
        self.project = project
        self.settings = settings
        self.sink = sink
    }

    public enum Start: Sendable, Hashable {
        case ready(after: Duration)
        case ended(String)
        /// It has not said anything in time.
        case silent
    }

    /// Whether it starts, without a call.
    public func start(within limit: Duration) async throws(DevError) -> Start {
        switch try await run(nil, limit: limit).reply {
        case .ready(let time): .ready(after: time)
        case .ended(let how): .ended(how)
        case .answered: .silent
        }
    }

    /// - Parameters:
    ///   - timeout: of the call; `nil`: as the actor has it, 5 minutes unless it says otherwise.
    /// - Throws: `DevError` where there is no Python, or no room for a socket.
    public func call(
        _ payload: RawJSON, headers: Headers = Headers(), timeout: Duration? = nil
    ) async throws(DevError) -> Outcome {
        let envelope = Envelope(
            id: "trial-\(getpid())", route: Route(actors: [actor.name]), headers: headers, payload: payload)
        let (reply, configuration) = try await run(envelope.encoded(), limit: timeout)
        return outcome(reply, configuration, timeout ?? configuration.runtimeTimeout)
    }

    /// - Parameter request: `nil`: only waits until calls can be made.
    private func run(
        _ request: [UInt8]?, limit: Duration?
    ) async throws(DevError) -> (reply: Reply, SidecarConfiguration) {
        let folder = try SocketFolder.made("/troupe-trial-")
        let loop = EventLoop(name: "trial")
        defer {
            unlink(folder + "/runtime.sock")
            unlink(folder + "/runtime-ready")
            rmdir(folder)
            loop.stop()
        }
        let configuration = try configuration(folder)
        let command = try handlerCommand().command(for: actor, socketFolder: folder)
        let limit = limit ?? configuration.runtimeTimeout
        let run = Task(executorPreference: loop) { [sink, actor] in
            await Self.run(command, configuration, request, limit: limit, on: loop, name: actor.name, sink: sink)
        }
        return (await run.value, configuration)
    }

    private enum Reply: Sendable {
        case ready(after: Duration)
        case answered(Result<[UInt8], Runtime.Failure>)
        case ended(String)
    }

    /// Whichever comes first: the answer, or the end of the process.
    private static func run(
        _ command: ChildProcess.Command, _ configuration: SidecarConfiguration, _ request: [UInt8]?, limit: Duration,
        on loop: EventLoop, name: String, sink: @escaping LogSink
    ) async -> Reply {
        let (replies, reply) = AsyncStream<Reply>.makeStream()
        let runtime = Runtime(
            path: configuration.socketPath, connections: 1, limits: configuration.policy.limits, takesEvents: true,
            on: loop)
        let output = TrialOutput(name, sink)
        let process = ChildProcess.start(command, on: loop) { stream, bytes in
            output.wrote(stream, bytes)
        } onEnd: { ending in
            output.finish()
            reply.yield(.ended("\(ending)"))
        }
        guard let process else { return .ended("it could not be started") }
        let start = MonotonicTime.now
        // What it loads, or builds, may take long.
        let patience = request == nil ? limit : startLimit
        let impatience = loop.schedule(after: patience) {
            reply.yield(
                request == nil
                    ? .answered(.failure(.timeout(limit)))
                    : .ended("it does not serve its socket after \(patience.inWords)"))
        }
        let calling = Task(executorPreference: loop) {
            await runtime.waitUntilReachable()
            loop.cancel(impatience)
            guard let request else { return _ = reply.yield(.ready(after: start.duration(to: .now))) }
            let result = await runtime.call(request, as: Runtime.CallID(1), onEvent: { output.emitted($0) }) {
                .success(limit)
            }
            reply.yield(.answered(result))
        }
        var first = Reply.ended("")
        for await one in replies {
            if case .answered(.failure(.closed(let reason))) = one {
                // One that dies at the call says more by how it ended.
                loop.schedule(after: .seconds(1)) { reply.yield(.answered(.failure(.invalid(reason)))) }
                continue
            }
            first = one
            break
        }
        await runtime.stop()
        await stop(process, replies, isOver: { if case .ended = first { true } else { false } }(), on: loop)
        calling.cancel()
        return first
    }

    private static let startLimit = Duration.seconds(600)

    /// It may say something at its end.
    private static func stop(
        _ process: ChildProcess, _ replies: AsyncStream<Reply>, isOver: Bool, on loop: EventLoop
    ) async {
        if isOver { return }
        process.signal(SIGTERM)
        loop.schedule(after: .seconds(1)) { process.signal(SIGKILL) }
        for await one in replies { if case .ended = one { return } }
    }

    // MARK: Before and after

    private func configuration(_ folder: String) throws(DevError) -> SidecarConfiguration {
        let own = ["TROUPE_ACTOR_NAME": actor.name, "TROUPE_SOCKET_DIR": folder, "TROUPE_SOCKET_NAME": "runtime.sock"]
        do throws(SettingsError) {
            return try SidecarConfiguration(Settings(environment: actor.settings.merging(own) { $1 }))
        } catch { throw DevError(.configuration, error.description) }
    }

    private func handlerCommand() throws(DevError) -> HandlerCommand {
        var pythons: [Home: PythonInstallation] = [:]
        let home = project.home(of: actor)
        if case .python = actor.handler { pythons[home] = try PythonInstallation.find(for: home, settings) }
        return HandlerCommand(
            home: home, pythons: pythons,
            environment: HandlerCommand.environment(from: settings.environment))
    }

    private func outcome(_ reply: Reply, _ configuration: SidecarConfiguration, _ limit: Duration) -> Outcome {
        switch reply {
        case .ready: return .ended("it was not called")
        case .ended(let how): return .ended(how)
        case .answered(.failure(.timeout)):
            return .failed(Failure(type: "timeout", message: "no answer within \(limit.inWords)"))
        case .answered(.failure(let failure)):
            return .failed(Failure(type: "runtime_error", message: "\(failure)"))
        case .answered(.success(let bytes)):
            do throws(RuntimeReply.HandlerError) {
                switch try RuntimeReply(parsing: bytes, limits: configuration.policy.limits) {
                case .error(let error): throw error
                case .results(let results):
                    return .results(
                        actor.isInEnvelopeMode ? (try? RawJSON(bytes))?.elements ?? [] : results.compactMap(\.payload))
                }
            } catch {
                return .failed(
                    Failure(
                        type: error.details?["type"]?.string ?? error.code,
                        message: error.message ?? ""))
            }
        }
    }
}

extension ProjectActor {
    fileprivate var isInEnvelopeMode: Bool { settings["TROUPE_HANDLER_MODE"] == "envelope" }
}

/// What a handler writes and emits during a trial. Lives on the loop.
private final class TrialOutput: @unchecked Sendable {
    private let name: String
    private let sink: LogSink
    private var lines: [ChildProcess.Stream: OutputLines] = [:]

    init(_ name: String, _ sink: @escaping LogSink) {
        self.name = name
        self.sink = sink
    }

    func wrote(_ stream: ChildProcess.Stream, _ bytes: ArraySlice<UInt8>) {
        for line in lines[stream, default: OutputLines()].append(bytes) { show(line, stream) }
    }

    func finish() {
        for stream in [ChildProcess.Stream.output, .error] {
            if let rest = lines[stream]?.rest() { show(rest, stream) }
        }
    }

    /// - Parameter event: `{"type", "data"}`
    func emitted(_ event: RawJSON) {
        guard let event = EmittedEvent(event) else { return }
        let words = event.type == "log" ? event.data["message"]?.string : nil
        let kind = words == nil ? event.type : event.data["level"]?.string ?? "info"
        sink(LogLine(name, .log, level: .notice, "\(kind): \((words ?? event.data.description).harmless)"))
    }

    private func show(_ text: String, _ stream: ChildProcess.Stream) {
        if let line = LogLine(name, wrote: text, to: stream) { sink(line) }
    }
}
