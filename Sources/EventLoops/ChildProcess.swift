internal import CEpoll
internal import Glibc

/// A process that we have started, in a group of its own: what it writes, and its end, are events on the loop.
///
/// It dies with us, however we end. Lives on the loop's thread.
public final class ChildProcess {
    public struct Command: Sendable, Hashable {
        /// A path.
        public var program: String
        public var arguments: [String]
        /// All of it: nothing of ours is added.
        public var environment: [String: String]
        /// `nil`: ours.
        public var folder: String?

        public init(
            _ program: String, _ arguments: [String] = [], environment: [String: String], folder: String? = nil
        ) {
            self.program = program
            self.arguments = arguments
            self.environment = environment
            self.folder = folder
        }
    }

    public enum Stream: String, Sendable { case output, error }

    public enum Ending: Sendable, Hashable, CustomStringConvertible {
        case exit(Int32), signal(Int32)

        public var description: String {
            switch self {
            case .exit(let code): "exit code \(code)"
            case .signal(let number): "signal \(number)"
            }
        }
    }

    public let pid: Int32
    private let loop: EventLoop
    private let descriptor: Int32
    private let onOutput: (Stream, ArraySlice<UInt8>) -> Void
    private let onEnd: (Ending) -> Void
    private var pipes: [(descriptor: Int32, stream: Stream)] = []
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// Starts it. `nil` when no process could be started and watched: too many, no file descriptors left, or Linux before
    /// 5.3.
    /// - Parameters:
    ///   - onOutput: gets what it writes, as it comes. `nil`: it writes where we do, and reads what we would.
    ///   - onEnd: is called once, after all output of it.
    public static func start(
        _ command: Command, on loop: EventLoop, onOutput: ((Stream, ArraySlice<UInt8>) -> Void)? = nil,
        onEnd: @escaping (Ending) -> Void
    ) -> ChildProcess? {
        loop.checkIsolated()
        var (output, error): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
        if onOutput != nil {
            guard pipe2(&output, TROUPE_PIPE_FLAGS) == 0 else { return nil }
            guard pipe2(&error, TROUPE_PIPE_FLAGS) == 0 else {
                for descriptor in output { Glibc.close(descriptor) }
                return nil
            }
        }
        defer { for descriptor in [output[1], error[1]] where descriptor >= 0 { Glibc.close(descriptor) } }
        for descriptor in [output[1], error[1]] where descriptor >= 0 {
            // Its end blocks, as any program expects.
            _ = fcntl(descriptor, F_SETFL, 0)
        }
        var descriptor: Int32 = -1
        let pid = spawn(command, output[1], error[1], &descriptor)
        guard pid > 0 else {
            for descriptor in [output[0], error[0]] where descriptor >= 0 { Glibc.close(descriptor) }
            return nil
        }
        let process = ChildProcess(pid, descriptor, on: loop, onOutput: onOutput ?? { _, _ in }, onEnd: onEnd)
        process.watch(output[0], .output)
        process.watch(error[0], .error)
        return process
    }

    private init(
        _ pid: Int32, _ descriptor: Int32, on loop: EventLoop,
        onOutput: @escaping (Stream, ArraySlice<UInt8>) -> Void, onEnd: @escaping (Ending) -> Void
    ) {
        self.pid = pid
        self.descriptor = descriptor
        self.loop = loop
        self.onOutput = onOutput
        self.onEnd = onEnd
        // Kept until its end, whoever lets go of it.
        loop.watch(descriptor, for: .readable) { _ in self.ended() }
    }

    /// To all of its group: the process, and what it has started.
    public func signal(_ number: Int32) { kill(-pid, number) }

    private static func spawn(
        _ command: Command, _ output: Int32, _ error: Int32, _ descriptor: inout Int32
    ) -> Int32 {
        let environment = command.environment.map { "\($0.key)=\($0.value)" }
        return withCStrings([command.program] + command.arguments) { arguments in
            withCStrings(environment) { environment in
                command.program.withCString { program in
                    withOptionalCString(command.folder) { folder in
                        var command = troupe_command(
                            program: program, arguments: arguments, environment: environment, folder: folder,
                            output: output, error: error)
                        return troupe_spawn(&command, &descriptor)
                    }
                }
            }
        }
    }

    // MARK: Output

    private func watch(_ descriptor: Int32, _ stream: Stream) {
        guard descriptor >= 0 else { return }
        pipes.append((descriptor, stream))
        loop.watch(descriptor, for: .readable) { [weak self] _ in _ = self?.read(descriptor, stream) }
    }

    /// One piece: others are to have their turn.
    /// - Returns: whether there may be more.
    private func read(_ descriptor: Int32, _ stream: Stream) -> Bool {
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count > 0 {
            onOutput(stream, buffer[..<count])
        } else if count == 0 || ![EAGAIN, EINTR].contains(errno) {
            close(pipe: descriptor)
            return false
        }
        return count > 0
    }

    private func close(pipe descriptor: Int32) {
        guard let index = pipes.firstIndex(where: { $0.descriptor == descriptor }) else { return }
        pipes.remove(at: index)
        loop.unwatch(descriptor)
        Glibc.close(descriptor)
    }

    private func ended() {
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) != 0 else { return }
        loop.unwatch(descriptor)
        Glibc.close(descriptor)
        // What it has started must not outlive it.
        signal(SIGKILL)
        for (descriptor, stream) in pipes {
            // Its last words; not for ever, should somebody else still write there.
            for _ in 0..<64 where !read(descriptor, stream) { break }
            close(pipe: descriptor)
        }
        let number = status & 0x7F
        onEnd(number == 0 ? .exit((status >> 8) & 0xFF) : .signal(number))
    }
}

private func withCStrings<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let strings = texts.map { strdup($0) } + [nil]
    defer { for string in strings { free(string) } }
    return strings.withUnsafeBufferPointer { list in
        guard let base = list.baseAddress else { preconditionFailure("a list with an end is not empty") }
        return body(base)
    }
}

private func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let text else { return body(nil) }
    return text.withCString { body($0) }
}
