internal import Envelopes

/// What a tool says about one of its arguments: type, choices, parts.
struct ToolParameter: Sendable, Hashable {
    enum Kind: String, Sendable, CaseIterable {
        case string, number, integer, boolean, array, object
    }

    var kind: Kind
    var description: String?
    var isRequired = false
    var fallback: RawJSON?
    /// The values that are allowed; empty for all.
    var options: [RawJSON] = []
    /// Of an array's elements.
    var items: Box?
    /// Of an object's members, in the order of the file.
    var properties: [Named] = []

    struct Named: Sendable, Hashable {
        var name: String
        var parameter: ToolParameter
    }

    /// Parameters contain parameters.
    indirect enum Box: Sendable, Hashable {
        case parameter(ToolParameter)
        var value: ToolParameter {
            switch self {
            case .parameter(let parameter): parameter
            }
        }
    }

    /// Where a value stands among the arguments.
    struct Place {
        /// As the message calls it, `tags[2].name`.
        private var name: String
        /// The same as a JSON Pointer (RFC 6901).
        private var pointer: String

        init(_ name: String) {
            self.name = name
            pointer = "/" + Self.escaped(name)
        }

        func member(_ name: String) -> Place {
            var place = self
            place.name += ".\(name)"
            place.pointer += "/" + Self.escaped(name)
            return place
        }

        func element(_ index: Int) -> Place {
            var place = self
            place.name += "[\(index)]"
            place.pointer += "/\(index)"
            return place
        }

        private static func escaped(_ name: String) -> String {
            JSONPointer.escaped(name)
        }

        var missing: ArgumentProblem { problem("missing required parameter: \(name)") }

        func mustBe(_ what: String) -> ArgumentProblem { problem("parameter '\(name)' must be \(what)") }

        private func problem(_ message: String) -> ArgumentProblem {
            ArgumentProblem(message, at: [.init(pointer: pointer, message: message)])
        }
    }

    /// What is wrong with a value, `nil` when nothing is.
    func problem(with value: RawJSON, at place: Place) -> ArgumentProblem? {
        guard kind.accepts(value) else { return place.mustBe("\(kind.withArticle), is \(value.kind.withArticle)") }
        if !options.isEmpty && !options.contains(where: { $0.isSameValue(as: value) }) {
            return place.mustBe("one of: \(options.map(\.description).joined(separator: ", "))")
        }
        if let items = items?.value {
            for (index, element) in value.elements.enumerated() {
                if let problem = items.problem(with: element, at: place.element(index)) { return problem }
            }
        }
        let members = properties.isEmpty ? [] : value.members
        for property in properties {
            let member = members.last { $0.isNamed(property.name) }
            if let member {
                if let problem = property.parameter.problem(with: member.value, at: place.member(property.name)) {
                    return problem
                }
            } else if property.parameter.isRequired {
                return place.member(property.name).missing
            }
        }
        return nil
    }

    /// As JSON Schema.
    func writeSchema(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("type", kind.rawValue)
        writer.member("description", description)
        if !options.isEmpty {
            writer.name("enum")
            writer.beginArray()
            for option in options { writer.append(option) }
            writer.endArray()
        }
        if let fallback {
            writer.name("default")
            writer.append(fallback)
        }
        if let items {
            writer.name("items")
            items.value.writeSchema(to: &writer)
        }
        if !properties.isEmpty { Self.writeProperties(properties, to: &writer) }
        writer.endObject()
    }

    static func writeProperties(_ properties: [Named], to writer: inout JSONWriter) {
        writer.name("properties")
        writer.beginObject()
        for property in properties {
            writer.name(property.name)
            property.parameter.writeSchema(to: &writer)
        }
        writer.endObject()
        let required = properties.filter(\.parameter.isRequired)
        guard !required.isEmpty else { return }
        writer.name("required")
        writer.append(strings: required.map(\.name))
    }
}

extension ToolParameter.Kind {
    func accepts(_ value: RawJSON) -> Bool {
        switch self {
        case .string: value.kind == .string
        case .number: value.kind == .number
        case .integer: value.isInteger
        case .boolean: value.kind == .boolean
        case .array: value.kind == .array
        case .object: value.kind == .object
        }
    }

    fileprivate var withArticle: String { rawValue.withArticle }
}

extension RawJSON.Kind {
    fileprivate var withArticle: String { self == .null ? "null" : rawValue.withArticle }
}

extension String {
    fileprivate var withArticle: String { (["a", "e", "i", "o", "u"].contains(prefix(1)) ? "an " : "a ") + self }
}

extension RawJSON {
    /// Whether a number has no fraction: `5`, `5.0` and `5e2` (JSON Schema), of any size.
    var isInteger: Bool {
        guard kind == .number else { return false }
        let text = String(decoding: bytes, as: UTF8.self).lowercased()
        let parts = text.split(separator: "e", maxSplits: 1)
        let mantissa = parts[0].split(separator: ".", maxSplits: 1)
        let fraction = mantissa.count == 2 ? mantissa[1].reversed().drop { $0 == "0" }.count : 0
        guard parts.count == 2 else { return fraction == 0 }
        guard let exponent = Int(parts[1]) else { return !parts[1].hasPrefix("-") }
        if exponent >= fraction { return true }
        // 1500e-2 is 15: zeros at the end of the whole part make up for a negative exponent.
        let whole = mantissa[0].drop { $0 == "-" }
        let zeros = whole.reversed().prefix { $0 == "0" }.count
        return fraction == 0 && (zeros >= -exponent || whole.allSatisfy { $0 == "0" })
    }

    /// Strings by their text, numbers by their value, all else by its bytes.
    func isSameValue(as other: RawJSON) -> Bool {
        if bytes == other.bytes { return true }
        switch (kind, other.kind) {
        case (.string, .string): return string != nil && string == other.string
        case (.number, .number): return double != nil && double == other.double
        default: return false
        }
    }
}
