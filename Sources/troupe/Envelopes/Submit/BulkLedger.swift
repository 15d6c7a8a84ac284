/// What has become of many lines. Pure: pieces sent, answers, ends in; sums out.
struct BulkLedger: Sendable {
    /// Of lines.
    private(set) var read = 0
    private(set) var accepted = 0
    private(set) var refused = 0
    /// Of envelopes that have ended, by how.
    private(set) var ends: [EnvelopeStatus: Int] = [:]
    /// Accepted, and not known to have ended.
    private(set) var open: Set<String> = []
    /// All lines are read and answered.
    private(set) var isComplete = false

    let isWaiting: Bool
    /// Bytes; `nil` where nobody knows.
    let inputSize: Int?
    private var bytesDone = 0
    /// Ends that came before the answer that has their id.
    private var early: [String: EnvelopeStatus] = [:]
    private var isSending = false

    init(isWaiting: Bool, inputSize: Int?) {
        self.isWaiting = isWaiting
        self.inputSize = inputSize
    }

    mutating func sending(_ lines: Int) {
        read += lines
        isSending = true
    }

    /// - Returns: how it has ended already, before the answer came.
    mutating func accepted(_ id: String) -> EnvelopeStatus? {
        accepted += 1
        guard isWaiting else { return nil }
        open.insert(id)
        return early.removeValue(forKey: id)
    }

    /// By the gateway.
    mutating func refused(_ count: Int = 1) { refused += count }

    /// Before it was sent.
    mutating func leftOut() {
        read += 1
        refused += 1
    }

    /// - Parameter inputEnd: how many bytes of the input are dealt with.
    mutating func answered(inputEnd: Int) {
        bytesDone = inputEnd
        isSending = false
        // Whatever is left of them is none of ours.
        early.removeAll()
    }

    mutating func completed() { isComplete = true }

    /// - Returns: whether it is one of ours, for the first time.
    mutating func ended(_ id: String, _ status: EnvelopeStatus) -> Bool {
        guard open.remove(id) != nil else {
            if isSending { early[id] = status }
            return false
        }
        ends[status, default: 0] += 1
        return true
    }

    var ended: Int { ends.values.reduce(0, +) }
    var isDone: Bool { isComplete && open.isEmpty }

    /// How much of all is done, 0...1; `nil` where nobody knows.
    var fraction: Double? {
        let uploaded = isComplete ? 1 : inputSize.map { $0 == 0 ? 1 : min(1, Double(bytesDone) / Double($0)) }
        guard let uploaded else { return nil }
        return isWaiting && accepted > 0 ? uploaded * Double(ended) / Double(accepted) : uploaded
    }

    /// The worst of all.
    var exit: CommandExit {
        if refused > 0 { return .badInput }
        if ends[.failed, default: 0] + ends[.unknown, default: 0] > 0 { return .failed }
        return ends[.cancelled, default: 0] > 0 ? .cancelled : .ok
    }

    /// In words: `9998 accepted, 2 refused, 9990 succeeded, 8 failed`.
    var summary: String {
        var words = ["\(accepted) accepted"]
        if refused > 0 { words.append("\(refused) refused") }
        for status in EnvelopeStatus.allCases {
            if let count = ends[status] { words.append("\(count) \(status.rawValue)") }
        }
        if isWaiting && !open.isEmpty { words.append("\(open.count) on their way") }
        return words.joined(separator: ", ")
    }

    /// The total for a terminal: a bar where there is a whole to compare with, and numbers.
    func lines(trouble: String?, columns: Int) -> [StyledLine] {
        var bars: [StyledLine] = []
        if let fraction {
            var bar = ProgressBar(fraction: fraction).line(columns: min(40, max(8, columns / 2)))
            bar.append(" \(Int(fraction * 100))%")
            bars.append(bar)
        }
        let words = "\(read) sent, \(summary)".wrapped(toColumns: columns - 1).map { StyledLine($0) }
        return bars + words + (trouble.map { [StyledLine($0, .yellow)] } ?? [])
    }
}
