import Glibc
import Settings

/// What one of our streams leads to.
struct Terminal: Sendable {
    let descriptor: Int32
    /// Somebody looks at it; else it is a pipe or a file.
    let isTerminal: Bool
    /// Its cursor can be moved, so that lines can be drawn again.
    let isLive: Bool
    let hasColor: Bool

    static func output(_ color: ColorChoice = .auto) -> Terminal { Terminal(STDOUT_FILENO, color) }
    static func error(_ color: ColorChoice = .auto) -> Terminal { Terminal(STDERR_FILENO, color) }

    private init(_ descriptor: Int32, _ color: ColorChoice) {
        let settings = Settings.ofProcess()
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        let isDumb = settings.foreign("TERM").map { $0 == "dumb" } ?? true
        isLive = isTerminal && !isDumb
        hasColor = color.isOn(isLive: isLive, isRefused: settings.foreign("NO_COLOR") != nil)
    }

    struct Size: Sendable, Hashable {
        var columns: Int
        var rows: Int
    }

    /// As it is now: windows change. `nil` where there is no terminal, or it doesn't know.
    var size: Size? {
        var size = winsize()
        guard isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Size(columns: Int(size.ws_col), rows: max(1, Int(size.ws_row)))
    }

    /// Without a terminal, lines are as long as they are.
    var columns: Int { size?.columns ?? .max }
}

/// `--color`
enum ColorChoice: String, CaseIterable, Sendable {
    case auto, always, never

    /// - Parameters:
    ///   - isLive: whether it leads to a terminal that knows more than lines.
    ///   - isRefused: by `NO_COLOR` (no-color.org); who says `always` means it.
    func isOn(isLive: Bool, isRefused: Bool) -> Bool {
        switch self {
        case .auto: isLive && !isRefused
        case .always: true
        case .never: false
        }
    }
}
