/// Cuts a stream of bytes into lines, as it comes. Pure.
package struct LineSplitter: Sendable {
    package struct Line: Sendable, Hashable {
        /// From 1.
        package var number: Int
        /// Without its end; `nil` for one above the limit, which was left out.
        package var bytes: ArraySlice<UInt8>?
    }

    private let limit: Int
    private var buffer: [UInt8] = []
    /// Where the current line begins, and how far it has been searched for its end.
    private var start = 0
    private var searched = 0
    private var isTooLong = false
    private var count = 0

    /// - Parameter limit: bytes of a line.
    package init(limit: Int) { self.limit = limit }

    package mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            searched -= start
            start = 0
        }
        buffer += bytes
    }

    /// The next line that is complete; blank ones are counted, but left out.
    package mutating func next() -> Line? {
        while let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = take(to: end)
            start = end + 1
            searched = start
            if let line { return line }
        }
        searched = buffer.count
        if searched - start > limit {
            isTooLong = true
            start = searched
        }
        return nil
    }

    /// What stands behind the last line end, when no more will come.
    package mutating func rest() -> Line? {
        defer { start = buffer.count }
        return start < buffer.count || isTooLong ? take(to: buffer.count) : nil
    }

    private mutating func take(to end: Int) -> Line? {
        count += 1
        let bytes = buffer[start..<end]
        let wasTooLong = isTooLong || bytes.count > limit
        isTooLong = false
        if wasTooLong { return Line(number: count, bytes: nil) }
        let isBlank = bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        return isBlank ? nil : Line(number: count, bytes: bytes)
    }
}
