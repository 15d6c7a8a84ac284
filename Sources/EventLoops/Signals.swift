internal import CEpoll
internal import Glibc

/// Signals as events on a loop, instead of as interrupts.
public enum Signals {
    /// Keeps the signals from interrupting any thread. Call first thing in `main`: threads that run already keep the
    /// old mask.
    public static func block(_ signals: [Int32]) {
        var set = mask(signals)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        // Writing to a peer that has gone is an error of that call, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Each arrival of one of the blocked signals. Watches until the process ends.
    public static func arrivals(of signals: [Int32], on loop: EventLoop) -> AsyncStream<Int32> {
        let (stream, continuation) = AsyncStream<Int32>.makeStream()
        var set = mask(signals)
        let descriptor = signalfd(-1, &set, TROUPE_SFD_FLAGS)
        Task(executorPreference: loop) {
            loop.watch(descriptor, for: .readable) { _ in
                var info = signalfd_siginfo()
                let size = MemoryLayout<signalfd_siginfo>.size
                while read(descriptor, &info, size) == size { continuation.yield(Int32(info.ssi_signo)) }
            }
        }
        return stream
    }

    private static func mask(_ signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }
}
