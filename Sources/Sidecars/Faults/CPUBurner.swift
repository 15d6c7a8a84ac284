internal import EventLoops
internal import Glibc
internal import Synchronization

/// Work for the processor's sake, in a thread of its own.
final class CPUBurner: Sendable {
    private let isStopped = Atomic(false)

    /// Of a slice, `load` is worked and the rest slept: whoever wants it to stop waits no longer.
    private static let slice = Duration.milliseconds(100)

    /// Returns when so much processor time is burned, or it was stopped.
    func burn(_ work: Duration, load: Double) async {
        await BlockingThread.run { [self] in
            let end = Self.processorTime + work
            while Self.processorTime < end && !isStopped.load(ordering: .relaxed) {
                let pause = min(Self.processorTime + Self.slice * load, end)
                while Self.processorTime < pause {}
                if load < 1 { usleep(UInt32((Self.slice * (1 - load)).inSeconds * 1_000_000)) }
            }
        }
    }

    func stop() { isStopped.store(true, ordering: .relaxed) }

    /// Of this thread.
    private static var processorTime: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
