/// Cuts a stream of bytes into frames: a 4-byte big-endian length, then that many bytes.
struct FrameReader {
    private let maximumBytes: Int
    private var header: [UInt8] = []
    private var length = 0
    private var body: [UInt8] = []
    /// What came behind the frame that is being read.
    private var rest: [UInt8] = []

    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Whether nothing of a next frame has come.
    var isIdle: Bool { header.isEmpty && rest.isEmpty }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        let taken = isComplete ? 0 : take(bytes)
        rest.append(contentsOf: bytes[taken...])
    }

    /// The next frame; `nil` when it isn't all there yet.
    mutating func next() throws(BadFrame) -> [UInt8]? {
        if header.count < 4 && !rest.isEmpty { takeRest() }
        if header.count == 4 && length > maximumBytes { throw .tooLarge(length, limit: maximumBytes) }
        guard isComplete else { return nil }
        defer {
            header.removeAll(keepingCapacity: true)
            body = []
        }
        return body
    }

    /// What is wrong when the stream ends here.
    var truncation: BadFrame {
        header.count < 4 ? .endedInLength(after: header.count) : .endedInBody(after: body.count, of: length)
    }

    private var isComplete: Bool { header.count == 4 && body.count == length }

    private mutating func takeRest() {
        let waiting = rest
        rest = []
        waiting.withUnsafeBytes { bytes in
            let taken = take(bytes)
            rest.append(contentsOf: bytes[taken...])
        }
    }

    /// Takes what belongs to the current frame; returns how many bytes that was.
    private mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        var taken = 0
        if header.count < 4 {
            taken = min(4 - header.count, bytes.count)
            header.append(contentsOf: bytes[..<taken])
            guard header.count == 4 else { return taken }
            length = header.reduce(0) { $0 << 8 | Int($1) }
            guard length <= maximumBytes else { return taken }
            // The length is only a claim: memory grows with what really comes.
            body.reserveCapacity(min(length, 1 << 20))
        }
        let count = min(length - body.count, bytes.count - taken)
        body.append(contentsOf: bytes[taken..<(taken + count)])
        return taken + count
    }
}

/// What came is no frame, so where the next one begins is unknown: it is answered, then the connection is closed.
enum BadFrame: Error, Hashable, CustomStringConvertible {
    case tooLarge(Int, limit: Int)
    case endedInLength(after: Int)
    case endedInBody(after: Int, of: Int)

    var description: String {
        switch self {
        case .tooLarge(let count, let limit):
            "a frame of \(count) bytes is larger than TROUPE_MAX_MESSAGE_BYTES (\(limit))"
        case .endedInLength(let count): "the frame ended after \(count) of the 4 bytes of its length"
        case .endedInBody(let count, let length): "the frame ended after \(count) of \(length) bytes"
        }
    }
}
