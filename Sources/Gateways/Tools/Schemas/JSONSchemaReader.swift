internal import Envelopes

/// Takes a schema document apart, and gathers its mistakes.
struct JSONSchemaReader {
    private var nodes: [JSONSchema.Node] = []
    private var problems: [JSONSchema.Problem] = []
    private var places: [String: Int] = [:]
    /// Nodes whose `$ref` is yet to be found.
    private var references: [(node: Int, target: String, pointer: String)] = []

    /// - Returns: the node's index.
    mutating func read(_ json: RawJSON, at pointer: String) -> Int {
        let index = nodes.count
        nodes.append(JSONSchema.Node())
        places[pointer] = index
        var node = JSONSchema.Node()
        switch json.kind {
        case .boolean: node.isAlways = json.boolean
        case .object:
            for member in json.members {
                guard let keyword = member.name else { continue }
                read(keyword, member.value, of: &node, index, at: pointer + keyword.pointerStep)
            }
        default: report(pointer, "a schema must be an object or a boolean, is \(json.kind)")
        }
        nodes[index] = node
        return index
    }

    mutating func finish() throws(JSONSchemaErrors) -> [JSONSchema.Node] {
        for reference in references {
            guard let target = places[reference.target] else {
                report(reference.pointer, "'#\(reference.target)' leads to no schema")
                continue
            }
            nodes[reference.node].reference = target
        }
        guard problems.isEmpty else { throw JSONSchemaErrors(problems: problems) }
        return nodes
    }

    /// Say something about the value to people and programs, and demand nothing. `$id` names the document.
    private static let annotations: Set<String> = [
        "$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly",
        "writeOnly", "format", "contentEncoding", "contentMediaType", "contentSchema",
    ]

    private mutating func read(
        _ keyword: String, _ value: RawJSON, of node: inout JSONSchema.Node, _ index: Int, at pointer: String
    ) {
        switch keyword {
        case "$ref": reference(value, index, at: pointer)
        case "$defs", "definitions": _ = schemas(value, at: pointer)
        case "type": node.types = types(value, at: pointer)
        case "enum":
            if value.kind != .array { report(pointer, "must be a list") }
            node.values = value.elements
        case "const": node.values = [value]
        case "minimum": node.minimum = number(value, at: pointer)
        case "maximum": node.maximum = number(value, at: pointer)
        case "exclusiveMinimum": node.exclusiveMinimum = number(value, at: pointer)
        case "exclusiveMaximum": node.exclusiveMaximum = number(value, at: pointer)
        case "multipleOf":
            node.multipleOf = number(value, at: pointer)
            if let number = node.multipleOf, number <= 0 { report(pointer, "must be above 0") }
        case "minLength": node.lengths.least = count(value, at: pointer)
        case "maxLength": node.lengths.most = count(value, at: pointer)
        case "pattern":
            node.pattern = value.string
            check(pattern: value.string, at: pointer)
        case "prefixItems": node.prefixItems = list(value, at: pointer)
        case "items": node.items = read(value, at: pointer)
        case "contains": node.contains = read(value, at: pointer)
        case "minContains": node.containsCount.least = count(value, at: pointer)
        case "maxContains": node.containsCount.most = count(value, at: pointer)
        case "minItems": node.itemCount.least = count(value, at: pointer)
        case "maxItems": node.itemCount.most = count(value, at: pointer)
        case "uniqueItems":
            if value.kind != .boolean { report(pointer, "must be true or false") }
            node.hasUniqueItems = value.boolean ?? false
        case "properties": node.properties = schemas(value, at: pointer)
        case "patternProperties":
            node.patternProperties = schemas(value, at: pointer)
            for named in node.patternProperties { check(pattern: named.name, at: pointer) }
        case "additionalProperties": node.additionalProperties = read(value, at: pointer)
        case "propertyNames": node.propertyNames = read(value, at: pointer)
        case "minProperties": node.propertyCount.least = count(value, at: pointer)
        case "maxProperties": node.propertyCount.most = count(value, at: pointer)
        case "required": node.required = names(value, at: pointer)
        case "dependentRequired":
            for member in value.members {
                node.dependentRequired[member.name ?? ""] = names(member.value, at: pointer)
            }
        case "dependentSchemas": node.dependentSchemas = schemas(value, at: pointer)
        case "allOf": node.allOf = list(value, at: pointer)
        case "anyOf": node.anyOf = list(value, at: pointer)
        case "oneOf": node.oneOf = list(value, at: pointer)
        case "not": node.not = read(value, at: pointer)
        case "if": node.condition = read(value, at: pointer)
        case "then": node.consequence = read(value, at: pointer)
        case "else": node.alternative = read(value, at: pointer)
        case _ where Self.annotations.contains(keyword) || keyword.hasPrefix("x-"): break
        default: report(pointer, "this gateway does not check the keyword '\(keyword)'")
        }
    }

    // MARK: Kinds of keywords' values

    private mutating func reference(_ value: RawJSON, _ index: Int, at pointer: String) {
        guard let text = value.string, text == "#" || text.hasPrefix("#/") else {
            return report(pointer, "must lead within this schema, like \"#/$defs/name\"")
        }
        references.append((index, String(text.dropFirst()), pointer))
    }

    private mutating func types(_ value: RawJSON, at pointer: String) -> [JSONSchema.SchemaType] {
        let names = value.kind == .array ? value.elements : [value]
        let types = names.compactMap { $0.string.flatMap(JSONSchema.SchemaType.init) }
        if types.count != names.count || types.isEmpty {
            let known = JSONSchema.SchemaType.allCases.map(\.rawValue).joined(separator: ", ")
            report(pointer, "must be one or several of: \(known)")
        }
        return types
    }

    private mutating func schemas(_ value: RawJSON, at pointer: String) -> [JSONSchema.Named] {
        if value.kind != .object { report(pointer, "must be an object of schemas") }
        return value.members.map { member in
            let name = member.name ?? ""
            return JSONSchema.Named(name: name, schema: read(member.value, at: pointer + name.pointerStep))
        }
    }

    private mutating func list(_ value: RawJSON, at pointer: String) -> [Int] {
        let elements = value.elements
        if elements.isEmpty { report(pointer, "must be a list of schemas, at least one") }
        return elements.enumerated().map { read($1, at: "\(pointer)/\($0)") }
    }

    private mutating func number(_ value: RawJSON, at pointer: String) -> Double? {
        if value.double == nil { report(pointer, "must be a number") }
        return value.double
    }

    private mutating func count(_ value: RawJSON, at pointer: String) -> Int? {
        guard let count = value.integer, count >= 0 else {
            report(pointer, "must be a whole number, 0 or above")
            return nil
        }
        return count
    }

    private mutating func names(_ value: RawJSON, at pointer: String) -> [String] {
        let names = value.elements.compactMap(\.string)
        if value.kind != .array || names.count != value.elements.count { report(pointer, "must be a list of strings") }
        return names
    }

    private mutating func check(pattern: String?, at pointer: String) {
        guard let pattern, (try? Regex(pattern)) != nil else { return report(pointer, "is no regular expression") }
    }

    private mutating func report(_ pointer: String, _ message: String) {
        problems.append(JSONSchema.Problem(pointer: pointer, message: message))
    }
}
