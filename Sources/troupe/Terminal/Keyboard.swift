import EventLoops
import Glibc
import Synchronization

/// The terminal's keys one by one, as they are pressed, and none of them shown.
///
/// However the program ends, but for a kill, the terminal is as it was.
struct Keyboard: Sendable {
    private let loop = EventLoop(name: "keyboard")

    /// As the terminal was, while its keys are ours.
    private static let former = Mutex<termios?>(nil)

    /// `nil` where there are no keys: standard input is a pipe or a file, or the terminal is another job's just now.
    init?() {
        var mode = termios()
        guard tcgetattr(STDIN_FILENO, &mode) == 0, tcgetpgrp(STDIN_FILENO) == getpgrp() else { return nil }
        Self.former.withLock { [mode] in $0 = mode }
        atexit { Keyboard.giveBack() }
        mode.c_lflag &= ~tcflag_t(ICANON | ECHO)
        withUnsafeMutableBytes(of: &mode.c_cc) { ($0[Int(VMIN)], $0[Int(VTIME)]) = (1, 0) }
        tcsetattr(STDIN_FILENO, TCSANOW, &mode)
    }

    /// Ends when there are no more.
    var keys: AsyncStream<Character> {
        let (stream, continuation) = AsyncStream<Character>.makeStream()
        Task(executorPreference: loop) { [loop] in
            loop.watch(STDIN_FILENO, for: .readable) { _ in
                var bytes = [UInt8](repeating: 0, count: 64)
                let count = read(STDIN_FILENO, &bytes, bytes.count)
                if count <= 0 {
                    loop.unwatch(STDIN_FILENO)
                    return continuation.finish()
                }
                for key in Self.keys(in: bytes.prefix(count)) { continuation.yield(key) }
            }
        }
        return stream
    }

    /// Without arrows and their like, which come as escape sequences (ECMA-48): none of them means anything here.
    static func keys(in bytes: ArraySlice<UInt8>) -> [Character] {
        var keys: [Character] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte != 0x1B {
                keys.append(Character(Unicode.Scalar(byte)))
            } else if let kind = rest.first, kind == UInt8(ascii: "[") || kind == UInt8(ascii: "O") {
                rest.removeFirst()
                while let byte = rest.popFirst(), !(0x40...0x7E).contains(byte) {}
            }
        }
        return keys
    }

    static func giveBack() {
        former.withLock { former in
            guard var mode = former else { return }
            tcsetattr(STDIN_FILENO, TCSANOW, &mode)
            former = nil
        }
    }
}
