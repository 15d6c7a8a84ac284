extension [Int] {
    /// `0, 4-6, 9` of ascending numbers; of many, the first ranges and how many numbers more there are.
    func inRanges(atMost limit: Int) -> String {
        var ranges: [ClosedRange<Int>] = []
        for number in self {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        let words = ranges.prefix(limit).map {
            $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
        }
        let more = ranges.dropFirst(limit).reduce(0) { $0 + $1.count }
        return words.joined(separator: ", ") + (more == 0 ? "" : " and \(more) more")
    }
}
