package import Envelopes

extension JSONSchema {
    /// What is wrong with a value: the first few problems, none when it fits.
    package func problems(with value: RawJSON) -> [Problem] {
        var check = JSONSchemaCheck(nodes: nodes)
        check.check(value, Self.root, at: "", depth: 0)
        return check.problems
    }
}

/// One value against one schema.
private struct JSONSchemaCheck {
    let nodes: [JSONSchema.Node]
    private(set) var problems: [JSONSchema.Problem] = []

    private static let problemLimit = 10
    /// Schemas within schemas, values within values; a reference that leads to itself ends here.
    private static let depthLimit = 1000
    /// Each is compared with each.
    private static let uniqueItemsLimit = 1000

    init(nodes: [JSONSchema.Node]) { self.nodes = nodes }

    mutating func check(_ value: RawJSON, _ index: Int, at pointer: String, depth: Int) {
        guard problems.count < Self.problemLimit else { return }
        guard depth < Self.depthLimit else {
            return report(pointer, "is nested deeper than its schema can be followed")
        }
        let node = nodes[index]
        if node.isAlways == false { return report(pointer, "is not allowed") }
        if let reference = node.reference { check(value, reference, at: pointer, depth: depth + 1) }
        guard node.types.isEmpty || node.types.contains(where: { $0.accepts(value) }) else {
            let types = node.types.map(\.rawValue).joined(separator: " or ")
            return report(pointer, "must be of type \(types), is \(value.kind)")
        }
        if let values = node.values, !values.contains(where: { $0.isEqual(to: value) }) {
            report(pointer, "must be one of: \(values.map(\.description).joined(separator: ", "))")
        }
        switch value.kind {
        case .number: checkNumber(value, node, at: pointer)
        case .string: checkString(value, node, at: pointer)
        case .array: checkArray(value, node, at: pointer, depth)
        case .object: checkObject(value, node, at: pointer, depth)
        case .boolean, .null: break
        }
        checkCombinations(value, node, at: pointer, depth)
    }

    private mutating func checkNumber(_ value: RawJSON, _ node: JSONSchema.Node, at pointer: String) {
        guard let number = value.double else { return }
        if let minimum = node.minimum, number < minimum { report(pointer, "must be \(minimum) or above") }
        if let maximum = node.maximum, number > maximum { report(pointer, "must be \(maximum) or below") }
        if let minimum = node.exclusiveMinimum, number <= minimum { report(pointer, "must be above \(minimum)") }
        if let maximum = node.exclusiveMaximum, number >= maximum { report(pointer, "must be below \(maximum)") }
        if let factor = node.multipleOf, (number / factor).rounded() != number / factor {
            report(pointer, "must be a multiple of \(factor)")
        }
    }

    private mutating func checkString(_ value: RawJSON, _ node: JSONSchema.Node, at pointer: String) {
        guard node.lengths != JSONSchema.Bounds() || node.pattern != nil, let text = value.string else { return }
        check(text.unicodeScalars.count, node.lengths, "characters", at: pointer)
        if let pattern = node.pattern, !text.matches(pattern) { report(pointer, "must match \(pattern)") }
    }

    private mutating func checkArray(_ value: RawJSON, _ node: JSONSchema.Node, at pointer: String, _ depth: Int) {
        let elements = value.elements
        check(elements.count, node.itemCount, "elements", at: pointer)
        for (index, element) in elements.enumerated() {
            let schema = node.prefixItems.indices.contains(index) ? node.prefixItems[index] : node.items
            if let schema { check(element, schema, at: "\(pointer)/\(index)", depth: depth + 1) }
        }
        if node.hasUniqueItems, elements.count > Self.uniqueItemsLimit {
            report(pointer, "has more than the \(Self.uniqueItemsLimit) elements that can be compared")
        } else if node.hasUniqueItems {
            for (index, element) in elements.enumerated()
            where elements[..<index].contains(where: { $0.isEqual(to: element) }) {
                report("\(pointer)/\(index)", "is in the list already")
                break
            }
        }
        if let contains = node.contains {
            let count = elements.count { fits($0, contains, depth) }
            let least = node.containsCount.least ?? 1
            check(
                count, .init(least: least, most: node.containsCount.most), "elements that it must contain", at: pointer)
        }
    }

    private mutating func checkObject(_ value: RawJSON, _ node: JSONSchema.Node, at pointer: String, _ depth: Int) {
        let members = value.members
        var names: Set<String> = []
        for member in members {
            let name = member.name ?? ""
            names.insert(name)
            let place = pointer + name.pointerStep
            if let schema = node.propertyNames {
                check(RawJSON(string: name), schema, at: place, depth: depth + 1)
            }
            var isKnown = false
            for property in node.properties where property.name == name {
                isKnown = true
                check(member.value, property.schema, at: place, depth: depth + 1)
            }
            for property in node.patternProperties where name.matches(property.name) {
                isKnown = true
                check(member.value, property.schema, at: place, depth: depth + 1)
            }
            if !isKnown, let schema = node.additionalProperties {
                check(member.value, schema, at: place, depth: depth + 1)
            }
        }
        check(names.count, node.propertyCount, "members", at: pointer)
        for name in node.required where !names.contains(name) { report(pointer, "'\(name)' is missing") }
        for (name, others) in node.dependentRequired.sorted(by: { $0.key < $1.key }) where names.contains(name) {
            for other in others where !names.contains(other) {
                report(pointer, "'\(other)' is missing, which '\(name)' asks for")
            }
        }
        for dependent in node.dependentSchemas where names.contains(dependent.name) {
            check(value, dependent.schema, at: pointer, depth: depth + 1)
        }
    }

    private mutating func checkCombinations(
        _ value: RawJSON, _ node: JSONSchema.Node, at pointer: String, _ depth: Int
    ) {
        for schema in node.allOf { check(value, schema, at: pointer, depth: depth + 1) }
        if !node.anyOf.isEmpty, !node.anyOf.contains(where: { fits(value, $0, depth) }) {
            report(pointer, "fits none of the \(node.anyOf.count) schemas of 'anyOf'")
        }
        if !node.oneOf.isEmpty {
            let count = node.oneOf.count { fits(value, $0, depth) }
            if count != 1 { report(pointer, "fits \(count) schemas of 'oneOf', not exactly one") }
        }
        if let not = node.not, fits(value, not, depth) { report(pointer, "fits a schema that it must not") }
        if let condition = node.condition {
            let branch = fits(value, condition, depth) ? node.consequence : node.alternative
            if let branch { check(value, branch, at: pointer, depth: depth + 1) }
        }
    }

    private func fits(_ value: RawJSON, _ index: Int, _ depth: Int) -> Bool {
        var check = JSONSchemaCheck(nodes: nodes)
        check.check(value, index, at: "", depth: depth + 1)
        return check.problems.isEmpty
    }

    private mutating func check(_ count: Int, _ bounds: JSONSchema.Bounds, _ what: String, at pointer: String) {
        if let least = bounds.least, count < least {
            report(pointer, "must have \(least) \(what) or more, has \(count)")
        }
        if let most = bounds.most, count > most { report(pointer, "must have \(most) \(what) at most, has \(count)") }
    }

    private mutating func report(_ pointer: String, _ message: String) {
        problems.append(JSONSchema.Problem(pointer: pointer, message: message))
    }
}

extension String {
    /// Patterns were checked when their schema was read.
    fileprivate func matches(_ pattern: String) -> Bool {
        guard let regex = try? Regex(pattern) else { return false }
        return contains(regex)
    }
}

extension RawJSON {
    /// The same value: numbers by their value, strings by their text, objects whatever the order of their members.
    func isEqual(to other: RawJSON) -> Bool {
        guard kind == other.kind else { return false }
        switch kind {
        case .array:
            let (mine, others) = (elements, other.elements)
            return mine.count == others.count && zip(mine, others).allSatisfy { $0.isEqual(to: $1) }
        case .object:
            let (mine, others) = (members, other.members)
            return mine.count == others.count
                && mine.allSatisfy { member in
                    others.contains { $0.name == member.name && $0.value.isEqual(to: member.value) }
                }
        case .boolean, .null, .number, .string: return isSameValue(as: other)
        }
    }
}
