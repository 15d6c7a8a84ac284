internal import CEpoll
internal import Glibc

/// Ends what handlers have started when we are killed: the kernel ends the handlers themselves, but not their children.
final class ProcessGuard: Sendable {
    private let descriptor: Int32

    /// Call early: what is open then may stay open a moment longer than we live. Without a process to spare, children of
    /// handlers may outlive us.
    init() { descriptor = troupe_start_guard() }

    deinit { close(descriptor) }

    /// - Parameter group: of processes.
    func began(_ group: Int32) { tell(group) }

    func ended(_ group: Int32) { tell(-group) }

    private func tell(_ message: Int32) {
        var message = message
        _ = write(descriptor, &message, MemoryLayout<Int32>.size)
    }
}
