internal import EventLoops
internal import Glibc

/// Serves sidecars on the listening socket: frames in, replies out. Sockets live on the event loop, handlers on the
/// global pool.
actor Server {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let answerer: Answerer
    private let log: Log
    private let concurrency: Int
    private let maximumBytes: Int
    private var listener: Int32?
    private var connections: [UInt64: Connection] = [:]
    private var lastNumber: UInt64 = 0
    /// Connections whose request is complete, in the order in which that happened.
    private var queue: [UInt64] = []
    private var running = 0
    private var buffer: [UInt8]
    private var isStopping = false
    private var whenIdle: CheckedContinuation<Void, Never>?

    /// A peer that stops in the middle of a frame, or doesn't take its reply, is given up after this time.
    private let stallTime: Duration
    /// How long the rest of a refused frame is read and thrown away.
    private static let drainTime = Duration.seconds(5)

    init(on loop: EventLoop, answerer: Answerer, log: Log, stallTime: Duration = .seconds(30)) {
        self.loop = loop
        self.stallTime = stallTime
        self.answerer = answerer
        self.log = log
        concurrency = answerer.settings.concurrency
        maximumBytes = answerer.settings.maximumMessageBytes
        buffer = [UInt8](repeating: 0, count: answerer.settings.chunkSize)
    }

    /// Takes connections from a listening, non-blocking socket. Closes it in the end.
    func listen(on descriptor: Int32) {
        listener = descriptor
        loop.watch(descriptor, for: .readable) { _ in self.assumeIsolated { $0.accept() } }
    }

    /// No new connections, no new requests; returns when those that have arrived are answered.
    func stop() async {
        isStopping = true
        if let listener {
            loop.unwatch(listener)
            close(listener)
        }
        listener = nil
        for connection in connections.values {
            guard case .reading = connection.phase else { continue }
            // One that has sent a request by now, or begun to, gets its answer.
            receive(connection)
            if case .reading = connection.phase, connection.reader.isIdle { end(connection) }
        }
        await withCheckedContinuation { continuation in
            whenIdle = continuation
            resumeWhenIdle()
        }
    }

    // MARK: Connections

    private func accept() {
        while let listener {
            let descriptor = Glibc.accept(listener, nil, nil)
            guard descriptor >= 0 else { return pauseAcceptingUnlessDone(listener, errno) }
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            lastNumber += 1
            let number = lastNumber
            connections[number] = Connection(number: number, descriptor: descriptor, maximumBytes: maximumBytes)
            loop.watch(descriptor, for: .readable) { readiness in
                self.assumeIsolated { $0.ready(number, readiness) }
            }
        }
    }

    /// Without a descriptor left, the waiting peer would wake the loop again and again.
    private func pauseAcceptingUnlessDone(_ listener: Int32, _ error: Int32) {
        guard ![EAGAIN, EINTR, ECONNABORTED].contains(error) else { return }
        log.error("cannot accept a connection", ["errno": "\(error)"])
        loop.rewatch(listener, for: [])
        loop.schedule(after: .milliseconds(200)) {
            self.assumeIsolated { server in
                if let listener = server.listener { server.loop.rewatch(listener, for: .readable) }
            }
        }
    }

    private func ready(_ number: UInt64, _ readiness: EventLoop.Readiness) {
        guard let connection = connections[number] else { return }
        switch connection.phase {
        case .reading: receive(connection)
        case .waiting: if !readiness.isDisjoint(with: .closed) { end(connection) }
        case .running: readiness.isDisjoint(with: .closed) ? sendEvents(number) : end(connection)
        case .writing(let output): send(output, to: connection)
        case .draining: drain(connection)
        }
    }

    private func end(_ connection: Connection) {
        guard connections.removeValue(forKey: connection.number) != nil else { return }
        // Nobody waits for the answer any more; the handler may want to know.
        if case .running(let task, let emitter) = connection.phase {
            task.cancel()
            _ = emitter?.end(.gone)
        }
        queue.removeAll { $0 == connection.number }
        cancelStallTimer(connection)
        loop.unwatch(connection.descriptor)
        close(connection.descriptor)
        resumeWhenIdle()
    }

    private func resumeWhenIdle() {
        guard isStopping, connections.isEmpty, running == 0 else { return }
        whenIdle?.resume()
        whenIdle = nil
    }

    // MARK: A request

    private func receive(_ connection: Connection) {
        // Some chunks in a row, then the others get their turn.
        for _ in 0..<16 {
            switch connection.receive(into: &buffer) {
            case .nothing: return
            case .end:
                return connection.reader.isIdle ? end(connection) : refuse(connection.reader.truncation, connection)
            case .bytes: if takeRequest(connection) { return }
            }
        }
    }

    /// Whether the connection has something else to do now than to read.
    private func takeRequest(_ connection: Connection) -> Bool {
        do throws(BadFrame) {
            guard let frame = try connection.reader.next() else {
                setStallTimer(connection, stallTime, unless: connection.reader.isIdle)
                return false
            }
            cancelStallTimer(connection)
            connection.phase = .waiting(frame)
            // Only a hang-up matters until there is a reply.
            loop.rewatch(connection.descriptor, for: [])
            queue.append(connection.number)
            startCalls()
        } catch {
            refuse(error, connection)
        }
        return true
    }

    private func refuse(_ error: BadFrame, _ connection: Connection) {
        send(output(answerer.refusal(error), thenDrains: true), to: connection)
    }

    private func startCalls() {
        while running < concurrency, !queue.isEmpty {
            let number = queue.removeFirst()
            guard let connection = connections[number], case .waiting(let frame) = connection.phase else { continue }
            // Its hanging up may be the loop's next event.
            guard !connection.hasHungUp else {
                end(connection)
                continue
            }
            running += 1
            let (answerer, loop) = (answerer, loop)
            let emitter = Emitter(log: log) { Task(executorPreference: loop) { await self.sendEvents(number) } }
            let taker = connection.takesEvents ? emitter : nil
            connection.phase = .running(
                Task.detached {
                    let reply = await answerer.answer(frame, taker)
                    await self.finish(number, reply, events: emitter.end(.over))
                }, taker)
        }
    }

    /// Takes what the handler has emitted as far as the peer takes it, and the rest when it is ready for more.
    private func sendEvents(_ number: UInt64) {
        guard let connection = connections[number], case .running(_, let emitter?) = connection.phase else { return }
        while true {
            if connection.events.parts.isEmpty {
                let frames = emitter.take()
                if frames.isEmpty { return loop.rewatch(connection.descriptor, for: []) }
                connection.events = .init(parts: [frames])
            }
            switch connection.send(&connection.events) {
            case .everything: continue
            case .some: return loop.rewatch(connection.descriptor, for: .writable)
            case .failed: return end(connection)
            }
        }
    }

    /// - Parameter events: that were emitted and not yet taken.
    private func finish(_ number: UInt64, _ reply: [UInt8], events: [UInt8]) {
        running -= 1
        startCalls()
        if let connection = connections[number] {
            var output = connection.events
            connection.events = .init()
            output.parts += [events] + self.output(reply, thenDrains: false).parts
            send(output, to: connection)
        }
        resumeWhenIdle()
    }

    // MARK: A reply

    private func output(_ reply: [UInt8], thenDrains: Bool) -> Connection.Output {
        let length = withUnsafeBytes(of: UInt32(clamping: reply.count).bigEndian, Array.init)
        return Connection.Output(parts: [length, reply], thenDrains: thenDrains)
    }

    private func send(_ output: Connection.Output, to connection: Connection) {
        var output = output
        switch connection.send(&output) {
        case .failed: end(connection)
        case .some:
            if case .writing = connection.phase {} else { loop.rewatch(connection.descriptor, for: .writable) }
            connection.phase = .writing(output)
            setStallTimer(connection, stallTime)
        case .everything:
            cancelStallTimer(connection)
            if output.thenDrains { beginDraining(connection) } else { readNext(connection) }
        }
    }

    private func readNext(_ connection: Connection) {
        connection.phase = .reading
        // The next request may have come with the last one.
        if takeRequest(connection) { return }
        if isStopping && connection.reader.isIdle {
            end(connection)
        } else {
            loop.rewatch(connection.descriptor, for: .readable)
        }
    }

    private func beginDraining(_ connection: Connection) {
        connection.phase = .draining
        shutdown(connection.descriptor, Int32(SHUT_WR))
        loop.rewatch(connection.descriptor, for: .readable)
        setStallTimer(connection, Self.drainTime)
    }

    private func drain(_ connection: Connection) {
        for _ in 0..<16 {
            switch connection.receive(into: &buffer) {
            case .bytes: continue
            case .nothing: return
            case .end: return end(connection)
            }
        }
    }

    // MARK: Peers that stall

    private func setStallTimer(_ connection: Connection, _ time: Duration, unless isIdle: Bool = false) {
        cancelStallTimer(connection)
        guard !isIdle else { return }
        let number = connection.number
        connection.stallTimer = loop.schedule(after: time) {
            self.assumeIsolated { $0.stalled(number) }
        }
    }

    private func cancelStallTimer(_ connection: Connection) {
        if let timer = connection.stallTimer { loop.cancel(timer) }
        connection.stallTimer = nil
    }

    private func stalled(_ number: UInt64) {
        guard let connection = connections[number] else { return }
        connection.stallTimer = nil
        switch connection.phase {
        case .reading: refuse(connection.reader.truncation, connection)
        case .writing, .draining: end(connection)
        case .waiting, .running: break
        }
    }
}
