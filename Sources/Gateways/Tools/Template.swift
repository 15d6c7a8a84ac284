/// Text into which values come: `{name}`. Doubled braces, `{{name}}`, stand for `{name}` itself; braces around what can't be a name
/// are text, so JSON needs no care.
struct Template: Sendable, Hashable {
    enum Part: Sendable, Hashable {
        case text(String)
        case value(String)
    }

    /// As it was written.
    let source: String
    private(set) var parts: [Part] = []

    init(_ text: String) {
        source = text
        var rest = text[...]
        while let brace = rest.firstIndex(of: "{") {
            add(rest[..<brace])
            rest = rest[brace...]
            if let name = Self.name(in: rest, between: "{{", "}}") {
                add("{\(name)}")
                rest.removeFirst(name.count + 4)
            } else if let name = Self.name(in: rest, between: "{", "}") {
                parts.append(.value(String(name)))
                rest.removeFirst(name.count + 2)
            } else {
                add(rest.prefix(1))
                rest.removeFirst()
            }
        }
        add(rest)
    }

    /// Text that is what it is, whatever braces it has.
    init(verbatim text: String) {
        source = text
        add(text[...])
    }

    /// Each as often as it stands there.
    var names: [String] {
        parts.compactMap { part in
            if case .value(let name) = part { name } else { nil }
        }
    }

    /// - Parameter values: those that are missing are empty.
    func text(_ values: [String: String]) -> String {
        parts.map { part in
            switch part {
            case .text(let text): text
            case .value(let name): values[name] ?? ""
            }
        }.joined()
    }

    /// Whether it can be a placeholder's name.
    static func isName(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.count <= 100
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private mutating func add(_ text: some StringProtocol) {
        guard !text.isEmpty else { return }
        if case .text(let earlier) = parts.last {
            parts[parts.count - 1] = .text(earlier + String(text))
        } else {
            parts.append(.text(String(text)))
        }
    }

    private static func name(in text: Substring, between opening: String, _ closing: String) -> Substring? {
        guard text.hasPrefix(opening) else { return nil }
        let inside = text.dropFirst(opening.count)
        let name = inside.prefix { $0 != "}" && $0 != "{" }
        return isName(name) && inside.dropFirst(name.count).hasPrefix(closing) ? name : nil
    }
}
