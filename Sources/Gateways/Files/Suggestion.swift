/// What somebody may have meant by a name that nobody knows.
public enum Suggestion {
    /// ` (did you mean 'x'?)`, or nothing where no name is near.
    public static func words(for name: String, among known: some Sequence<String>) -> String {
        nearest(to: name, among: known).map { " (did you mean '\($0)'?)" } ?? ""
    }

    /// `; did you mean 'x'?`, or nothing: behind a sentence.
    public static func question(for name: String, among known: some Sequence<String>) -> String {
        nearest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
    }

    /// The name that is fewest changes away: three at most, and no more than about a third of it, as a slip of the fingers has.
    public static func nearest(to name: String, among known: some Sequence<String>) -> String? {
        let wanted = Array(name.lowercased())
        guard wanted.count <= 100 else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in known {
            let distance = distance(wanted, Array(candidate.lowercased()))
            guard distance <= min(3, (max(wanted.count, candidate.count) + 1) / 3) else { continue }
            if best.map({ distance < $0.distance }) ?? true { best = (candidate, distance) }
        }
        return best?.name
    }

    /// Insertions, deletions, replacements, and exchanges of neighbours, that make one of the other.
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var (before, above) = ([Int](), Array(0...right.count))
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                let isSame = left[row] == right[column]
                var least = min(above[column] + (isSame ? 0 : 1), above[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    least = min(least, before[column - 1] + 1)
                }
                current.append(least)
            }
            (before, above) = (above, current)
        }
        return above[right.count]
    }
}
