/// Finds what somebody may have meant. Pure.
enum ClosestName {
    /// The name that takes the fewest changes, where that is few enough for a slip of the fingers.
    static func to(_ word: String, among names: some Sequence<String>) -> String? {
        let limit = min(3, (word.count + 1) / 3)
        return names.map { (name: $0, distance: distance(word.lowercased(), $0.lowercased())) }
            .filter { $0.distance <= limit }.min { $0.distance < $1.distance }?.name
    }

    /// `"; did you mean 'x'?"`, or nothing.
    static func hint(_ word: String, among names: some Sequence<String>) -> String {
        to(word, among: names).map { "; did you mean '\($0)'?" } ?? ""
    }

    /// How many characters were left out, put in, replaced, or changed places with the next (optimal string alignment).
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.prefix(100)), Array(right.prefix(100)))
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (row, character) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var best = min(last[column + 1] + 1, current[column] + 1, last[column] + (character == other ? 0 : 1))
                if row > 0, column > 0, character == right[column - 1], left[row - 1] == other {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            (beforeLast, last) = (last, current)
        }
        return last.last ?? 0
    }
}
