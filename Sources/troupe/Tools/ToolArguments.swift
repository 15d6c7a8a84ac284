import Envelopes
import Gateways

/// Makes a tool's arguments of words, by its schema. Pure, but for the files that are named.
struct ToolArguments {
    let tool: ToolSchema
    /// Reads a file.
    let file: (String) throws -> [UInt8]

    /// All that is wrong, with what would be right.
    struct Mistakes: Error, Hashable {
        var messages: [String]
    }

    /// - Parameter words: `name=value`. The same name again adds to a list.
    /// - Throws: `Mistakes`.
    func arguments(_ words: [String]) throws(Mistakes) -> RawJSON {
        var mistakes: [String] = []
        var values: [(name: String, texts: [String])] = []
        for word in words {
            guard let equals = word.firstIndex(of: "="), equals > word.startIndex else {
                mistakes.append("'\(word)' has no '=': name=value is expected")
                continue
            }
            let (name, text) = (String(word[..<equals]), String(word[word.index(after: equals)...]))
            if let index = values.firstIndex(where: { $0.name == name }) {
                values[index].texts.append(text)
            } else {
                values.append((name, [text]))
            }
        }
        var members: [RawJSON.Member] = []
        for (name, texts) in values {
            guard let schema = tool.arguments.first(where: { $0.name == name })?.schema else {
                if tool.takesOthers {
                    members.append(.init(name: name, value: list(texts.map(RawJSON.init(loose:)))))
                } else {
                    mistakes.append(unknown(name))
                }
                continue
            }
            do throws(Mistake) {
                members.append(.init(name: name, value: try value(texts, schema)))
            } catch { mistakes.append("\(name): \(error.message)") }
        }
        let arguments = RawJSON(object: members)
        mistakes += missing(in: arguments, others: values.map(\.name))
        if mistakes.isEmpty { mistakes += schemaMistakes(arguments) }
        if !mistakes.isEmpty { throw Mistakes(messages: mistakes) }
        return arguments
    }

    /// Checks what came as JSON.
    /// - Throws: `Mistakes`.
    func check(_ arguments: RawJSON) throws(Mistakes) {
        guard arguments.kind == .object else {
            throw Mistakes(messages: ["the arguments must be a JSON object, not of type \(arguments.kind)"])
        }
        let names = tool.arguments.map(\.name)
        var mistakes: [String] = []
        for name in arguments.members.compactMap(\.name) where !names.contains(name) {
            // Others may pass through; what looks like a slip is one.
            let closest = Suggestion.nearest(to: name, among: names.filter { arguments[$0] == nil })
            if closest != nil || !tool.takesOthers && tool.inputSchema["additionalProperties"] != nil {
                mistakes.append(unknown(name))
            }
        }
        mistakes += missing(in: arguments, others: arguments.members.compactMap(\.name))
        if mistakes.isEmpty { mistakes += schemaMistakes(arguments) }
        if !mistakes.isEmpty { throw Mistakes(messages: mistakes) }
    }

    private func unknown(_ name: String) -> String {
        let names = tool.arguments.map(\.name)
        let known = names.isEmpty ? "it takes none" : "it takes: \(names.joined(separator: ", "))"
        return "there is no argument '\(name)'"
            + (Suggestion.nearest(to: name, among: names).map { "; did you mean '\($0)'?" } ?? "; \(known)")
    }

    /// - Parameter others: all names that are given, right or wrong: what one of them means is not missing, too.
    private func missing(in arguments: RawJSON, others: [String] = []) -> [String] {
        let names = tool.arguments.map(\.name)
        let meant = others.compactMap { Suggestion.nearest(to: $0, among: names) }
        return tool.arguments.filter { argument in
            tool.required.contains(argument.name) && arguments[argument.name] == nil && !meant.contains(argument.name)
        }.map { "\($0.name) is missing: \($0.schema.words)" }
    }

    /// By the whole schema, where it is one that can be checked here. The gateway has the last word.
    private func schemaMistakes(_ arguments: RawJSON) -> [String] {
        guard let schema = try? JSONSchema(tool.inputSchema) else { return [] }
        return schema.problems(with: arguments).map { problem in
            let place = problem.pointer.drop { $0 == "/" }.replacing("/", with: ".")
            return place.isEmpty ? problem.message : "\(place): \(problem.message)"
        }
    }

    // MARK: Values

    private struct Mistake: Error { var message: String }

    private func value(_ texts: [String], _ schema: ArgumentSchema) throws(Mistake) -> RawJSON {
        if schema.kinds.contains(.array) { return try array(texts, schema) }
        guard let text = texts.first, texts.count == 1 else {
            throw Mistake(message: "stands \(texts.count) times, but is no list: \(schema.words)")
        }
        return try value(text, schema)
    }

    /// Several, or one with commas, or JSON.
    private func array(_ texts: [String], _ schema: ArgumentSchema) throws(Mistake) -> RawJSON {
        if let text = texts.first, texts.count == 1 {
            if text.first == "[" || text.first == "@" { return try json(text, expected: .array) }
            let parts =
                text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            return RawJSON(array: try values(parts, schema.items))
        }
        return RawJSON(array: try values(texts, schema.items))
    }

    private func values(_ texts: [String], _ schema: ArgumentSchema) throws(Mistake) -> [RawJSON] {
        var values: [RawJSON] = []
        for text in texts { values.append(try value(text, schema)) }
        return values
    }

    private func value(_ text: String, _ schema: ArgumentSchema) throws(Mistake) -> RawJSON {
        if !schema.choices.isEmpty { return try choice(text, schema.choices) }
        let kinds = schema.kinds
        if kinds.isEmpty { return RawJSON(loose: text) }
        var first: Mistake?
        // A string is anything: it comes last.
        for kind in kinds.sorted(by: { $1 == .string && $0 != .string }) {
            do throws(Mistake) { return try value(text, kind) } catch { first = first ?? error }
        }
        throw kinds.count == 1 ? first ?? Mistake(message: "") : Mistake(message: "'\(text)' is no \(schema.words)")
    }

    private func value(_ text: String, _ kind: ArgumentSchema.Kind) throws(Mistake) -> RawJSON {
        let json = try? RawJSON(Array(text.utf8))
        switch kind {
        case .string: return RawJSON(string: text)
        case .integer:
            guard let json, json.kind == .number, !text.contains(where: { ".eE".contains($0) }) else {
                throw Mistake(message: "'\(text)' is no integer, like 42")
            }
            return json
        case .number:
            guard let json, json.kind == .number else { throw Mistake(message: "'\(text)' is no number, like 1.5") }
            return json
        case .boolean:
            switch text.lowercased() {
            case "true", "yes", "on", "1": return RawJSON { $0.append(true) }
            case "false", "no", "off", "0": return RawJSON { $0.append(false) }
            default: throw Mistake(message: "'\(text)' is neither true nor false")
            }
        case .null:
            guard text == "null" || text.isEmpty else { throw Mistake(message: "'\(text)' is not null") }
            return .null
        case .array, .object: return try self.json(text, expected: kind == .array ? .array : .object)
        }
    }

    private func choice(_ text: String, _ choices: [RawJSON]) throws(Mistake) -> RawJSON {
        if let choice = choices.first(where: { ($0.string ?? $0.description) == text }) { return choice }
        let names = choices.map { $0.string ?? $0.description }
        throw Mistake(
            message:
                "'\(text)' is none of: \(names.joined(separator: ", "))\(Suggestion.question(for: text, among: names))")
    }

    /// JSON text, or `@file`.
    private func json(_ text: String, expected kind: RawJSON.Kind) throws(Mistake) -> RawJSON {
        var bytes = Array(text.utf8)
        var name = "'\(text)'"
        if text.hasPrefix("@") {
            name = "'\(text.dropFirst())'"
            do { bytes = try file(String(text.dropFirst())) } catch { throw Mistake(message: "\(error)") }
        }
        let json: RawJSON
        do throws(JSONError) { json = try RawJSON(bytes, limits: JSONLimits(size: .max, nesting: 4096)) } catch {
            throw Mistake(
                message: "\(name) is no JSON \(kind): \(error)\(text.hasPrefix("@") ? "" : "; @file.json reads a file")"
            )
        }
        guard json.kind == kind else { throw Mistake(message: "\(name) is of type \(json.kind), not \(kind)") }
        return json
    }

    private func list(_ values: [RawJSON]) -> RawJSON { values.count == 1 ? values[0] : RawJSON(array: values) }
}
