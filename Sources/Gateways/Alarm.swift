internal import EventLoops

/// A sleep that can be cut short. One sleeper at a time.
actor Alarm {
    /// The earliest time that somebody wants the sleeper awake at.
    private var wanted: MonotonicTime?
    private var nap: Task<Void, Never>?

    /// Returns after `duration`, at the time of a `ring`, or when the task is cancelled.
    func sleep(for duration: Duration) async {
        let end = MonotonicTime.now.advanced(by: duration)
        while !Task.isCancelled {
            let wait = MonotonicTime.now.duration(to: min(end, wanted ?? end))
            guard wait > .zero else { break }
            let nap = Task { _ = try? await Task.sleep(for: wait) }
            self.nap = nap
            await withTaskCancellationHandler {
                await nap.value
            } onCancel: {
                nap.cancel()
            }
        }
        nap = nil
        wanted = nil
    }

    /// Wakes the sleeper after `delay`, if nobody wants it earlier; also one that only goes to sleep before that.
    func ring(after delay: Duration = .zero) {
        let time = MonotonicTime.now.advanced(by: delay)
        if let wanted, wanted <= time { return }
        wanted = time
        nap?.cancel()
    }
}
