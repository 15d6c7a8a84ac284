import Envelopes
import Gateways

/// Lines that are sent together. Their order and number depend on the input alone, so that the same input makes the same pieces.
struct LineChunk: Sendable, Hashable {
    /// Of each line in the input, from 1.
    var numbers: [Int] = []
    /// JSON Lines.
    var body: [UInt8] = []
    /// Where the input's next line begins, in bytes, blank lines not counted.
    var inputEnd = 0

    var firstLine: Int { numbers.first ?? 0 }

    fileprivate static let lineLimit = 500
    fileprivate static let byteLimit = 1 << 20

    fileprivate var isFull: Bool { numbers.count >= Self.lineLimit || body.count >= Self.byteLimit }
}

/// Makes pieces of what comes, without ever holding more than one. Pure.
struct LineChunker: Sendable {
    /// What the lines are payloads of; `nil` where each is a whole submission.
    let template: SubmissionTemplate?
    private var splitter = LineSplitter(limit: lineSize)
    private var chunk = LineChunk()
    private var inputEnd = 0

    /// A line that can't be sent.
    struct Refusal: Sendable, Hashable {
        var line: Int
        var reason: String
    }

    enum Output: Sendable, Hashable {
        case chunk(LineChunk)
        case refusal(Refusal)
    }

    private static let lineSize = 64 << 20

    init(_ template: SubmissionTemplate?) { self.template = template }

    mutating func append(_ bytes: [UInt8]) { splitter.append(bytes) }

    /// The next piece that is full, or a line that is wrong; `nil`: more input is needed.
    mutating func next() -> Output? {
        while true {
            if chunk.isFull { return take() }
            guard let line = splitter.next() else { return nil }
            if let refusal = add(line) { return .refusal(refusal) }
        }
    }

    /// What has come so far, however little.
    mutating func flush() -> Output? { chunk.numbers.isEmpty ? nil : take() }

    /// No more will come: call `next` and `flush` once more.
    mutating func finish() -> Output? {
        guard let line = splitter.rest(), let refusal = add(line) else { return nil }
        return .refusal(refusal)
    }

    private mutating func take() -> Output {
        defer { chunk = LineChunk() }
        chunk.inputEnd = inputEnd
        return .chunk(chunk)
    }

    private mutating func add(_ line: LineSplitter.Line) -> Refusal? {
        inputEnd += (line.bytes?.count ?? 0) + 1
        guard let bytes = line.bytes else {
            return Refusal(line: line.number, reason: "is longer than \(Self.lineSize >> 20) MiB")
        }
        do throws(JSONError) {
            // Checked here in any case: what is no JSON could say something else than a payload.
            let json = try RawJSON(bytes, limits: JSONLimits(size: .max, nesting: 4096))
            chunk.body += template.map { $0.submission(json).bytes } ?? json.bytes
            chunk.body.append(UInt8(ascii: "\n"))
            chunk.numbers.append(line.number)
            return nil
        } catch {
            return Refusal(line: line.number, reason: "is not valid JSON: \(error.message) at column \(error.column)")
        }
    }
}
