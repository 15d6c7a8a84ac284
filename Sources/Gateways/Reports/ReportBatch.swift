/// Reports in the order in which they can be written with few statements: children first, then stages that hold either
/// changes or partial results. What is told of one envelope keeps its order: no event comes behind the end that it was
/// told before.
struct ReportBatch: Sendable {
    enum Stage: Sendable, Hashable {
        case changes([EnvelopeChange])
        case partials([PartialResults])
    }

    private(set) var children: [FanOutChild] = []
    private(set) var stages: [Stage] = []

    init(_ reports: [ReadReport]) {
        // Changes stand in stages of even numbers, partial results in odd ones.
        var changes: [Int: [EnvelopeChange]] = [:]
        var partials: [Int: [PartialResults]] = [:]
        var last: [String: Int] = [:]
        func place(_ id: String, isOdd: Bool) -> Int {
            let number = last[id, default: 0]
            let place = (number % 2 == 1) == isOdd ? number : number + 1
            last[id] = place
            return place
        }
        for report in reports {
            switch report.content {
            case .child(let child): children.append(child)
            case .change(let change): changes[place(change.envelopeID, isOdd: false), default: []].append(change)
            case .partial(let partial): partials[place(partial.envelopeID, isOdd: true), default: []].append(partial)
            }
        }
        for number in 0...(last.values.max() ?? 0) {
            if let stage = changes[number] { stages.append(.changes(stage)) }
            if let stage = partials[number] { stages.append(.partials(stage)) }
        }
    }
}
