internal import CEpoll
internal import EventLoops
internal import Glibc
internal import Synchronization

/// Waits for SIGTERM or SIGINT. One a process.
actor StopSignal {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private var arrived = false
    private var waiting: CheckedContinuation<Void, Never>?

    /// The signal handler's end of the wire: it may do no more than write to a descriptor.
    private static let wire = Atomic<Int32>(-1)

    init(on loop: EventLoop) { self.loop = loop }

    /// From here on the signals no longer end the process. The second one does again: for somebody who is impatient.
    func listen() throws(StartError) {
        let descriptor = eventfd(0, TROUPE_EFD_FLAGS)
        guard descriptor >= 0 else {
            throw StartError("no file descriptor left for signals (errno \(errno))", exitCode: StartError.handlerFailed)
        }
        Self.wire.store(descriptor, ordering: .sequentiallyConsistent)
        loop.watch(descriptor, for: .readable) { _ in
            self.assumeIsolated { signal in
                signal.loop.unwatch(descriptor)
                signal.arrive()
            }
        }
        for number in [SIGTERM, SIGINT] {
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { _ in
                var one: UInt64 = 1
                _ = write(StopSignal.wire.load(ordering: .sequentiallyConsistent), &one, 8)
            }
            action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | SA_RESTART
            sigaction(number, &action, nil)
        }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            waiting = continuation
            if arrived { arrive() }
        }
    }

    private func arrive() {
        arrived = true
        waiting?.resume()
        waiting = nil
    }
}
