import ArgumentParser
import Glibc

/// How a command shows what it has found.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}

extension ColorChoice: ExpressibleByArgument {}

/// What commands that show something have in common.
struct OutputOptions: ParsableArguments {
    @Option(help: "A table for people, or JSON for programs.")
    var output: OutputFormat = .table

    @Option(help: "Colors: auto is where a terminal is, unless NO_COLOR is set.")
    var color: ColorChoice = .auto

    var isJSON: Bool { output == .json }
}

/// Standard output and error.
enum Output {
    static func line(_ text: String) { write(Array((text + "\n").utf8), to: STDOUT_FILENO) }

    static func note(_ text: String) { write(Array((text + "\n").utf8), to: STDERR_FILENO) }

    /// As they are.
    static func bytes(_ bytes: some Collection<UInt8>) { write(Array(bytes), to: STDOUT_FILENO) }

    /// The whole text. Who reads may have had enough (`| head`): then nobody needs us any more.
    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                switch errno {
                case EINTR: continue
                case EAGAIN: waitUntilWritable(descriptor)
                case EPIPE where descriptor == STDOUT_FILENO: exit(CommandExit.brokenPipe.rawValue)
                default: return
                }
            }
            rest = rest.dropFirst(max(0, count))
        }
    }

    /// Whoever shares the terminal with us may have made it non-blocking.
    private static func waitUntilWritable(_ descriptor: Int32) {
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&wait, 1, -1)
    }
}
