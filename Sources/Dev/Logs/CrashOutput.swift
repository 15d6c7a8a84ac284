/// What a process writes that is started again and again: a crash is shown once, and only what is new of the next. Pure.
struct CrashOutput {
    /// Of the run that crashed before; `nil` where the last one did not.
    private var before: [String]?
    private var current: [String] = []
    /// Not shown yet: it may be what we know already.
    private var held: [LogLine] = []
    private var isHolding = false

    /// Lines that are compared.
    private static let kept = 200

    /// A process has been started.
    mutating func begin() {
        current = []
        held = []
        isHolding = before != nil
    }

    /// - Returns: what is to be shown.
    mutating func wrote(_ line: LogLine) -> [LogLine] {
        if current.count < Self.kept { current.append(line.text) }
        guard isHolding, held.count < Self.kept else { return release() + [line] }
        held.append(line)
        return []
    }

    /// It has lived long enough to be seen at work.
    mutating func lived() -> [LogLine] { release() }

    /// It has ended.
    mutating func ended(crashed: Bool) -> [LogLine] {
        defer { before = crashed ? current : nil }
        if crashed, isHolding, let before, before.map(\.withoutNumbers) == current.map(\.withoutNumbers) {
            held = []
            return []
        }
        return release()
    }

    private mutating func release() -> [LogLine] {
        isHolding = false
        defer { held = [] }
        return held
    }
}

extension String {
    /// Process numbers, addresses and times differ from one crash to the next.
    fileprivate var withoutNumbers: String { filter { !$0.isHexDigit } }
}
