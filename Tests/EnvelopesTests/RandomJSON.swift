/// Valid JSON text of every shape, down to odd white space and escapes.
struct RandomJSON<Generator: RandomNumberGenerator> {
    var generator: Generator

    mutating func value(depth: Int = 5) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &generator) {
        case 0: return pick(["null", "true", "false"])
        case 1, 2: return number()
        case 3, 4, 5: return string()
        case 6: return "[" + space() + list(depth) { $0.value(depth: depth - 1) } + "]"
        default: return object(depth)
        }
    }

    mutating func object(_ depth: Int = 3) -> String {
        "{" + space() + list(depth) { $0.string() + $0.space() + ":" + $0.space() + $0.value(depth: depth - 1) } + "}"
    }

    mutating func space() -> String {
        let length = Bool.random(using: &generator) ? 0 : Int.random(in: 0..<3, using: &generator)
        return String((0..<length).map { _ in pick([" ", "\t", "\n", "\r"]) })
    }

    mutating func string() -> String {
        let length = Int.random(in: 0..<pick([2, 8, 40]), using: &generator)
        return "\"" + (0..<length).map { _ in piece() }.joined() + "\""
    }

    private mutating func piece() -> String {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0:
            return pick([
                "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000", "\\uD83D\\ude00", "\\ud800",
            ])
        case 1: return pick(["ü", "€", "😀", "\u{7F}", "\u{FEFF}", "\u{2028}", "e\u{301}", "\u{10FFFF}", "<>&", "'"])
        default: return String(Unicode.Scalar(UInt8.random(in: 0x61...0x7A, using: &generator)))
        }
    }

    private mutating func number() -> String {
        if Int.random(in: 0..<4, using: &generator) == 0 {
            return pick([
                "1e400", "-1E-400", "12345678901234567890", "0.1000000000000000055511151231257827", "-0", "1E+2",
            ])
        }
        return "\(Int64.random(in: -1000...1000, using: &generator))"
    }

    private mutating func list(_ depth: Int, _ element: (inout Self) -> String) -> String {
        let count = Int.random(in: 0..<4, using: &generator)
        return (0..<count).map { _ in element(&self) + space() }.joined(separator: "," + space())
    }

    private mutating func pick<Choice>(_ choices: [Choice]) -> Choice {
        choices[Int.random(in: choices.indices, using: &generator)]
    }
}
