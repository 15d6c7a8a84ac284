public import Envelopes

extension DataChange {
    /// A result with these changes; none: with one of chance. What they do not touch keeps its bytes.
    public static func apply(_ changes: [DataChange], to json: RawJSON, _ chance: inout FaultChance) -> RawJSON {
        let changes = changes.isEmpty ? [ofChance(for: json, &chance)] : changes
        return changes.reduce(json) { json, change in
            change.applied(to: json, change.path[...], &chance) ?? json
        }
    }

    /// - Returns: `nil` where it goes.
    private func applied(to json: RawJSON, _ path: ArraySlice<String>, _ chance: inout FaultChance) -> RawJSON? {
        guard let step = path.first else { return changed(json, &chance) }
        let rest = path.dropFirst()
        switch json.kind {
        case .object:
            return RawJSON(
                object: json.members.compactMap { member in
                    guard step == "*" || member.isNamed(step) else { return member }
                    return applied(to: member.value, rest, &chance).map { member.with($0) }
                })
        case .array:
            return RawJSON(
                array: json.elements.enumerated().compactMap { index, element in
                    step == "*" || step == String(index) ? applied(to: element, rest, &chance) : element
                })
        // There is no such place.
        case .string, .number, .boolean, .null: return json
        }
    }

    private func changed(_ json: RawJSON, _ chance: inout FaultChance) -> RawJSON? {
        switch operation {
        case .drop: return nil
        case .null: return .null
        case .set(let value): return value
        case .swapType: return json.swappingType
        case .truncate(let length): return json.truncated(to: length)
        case .scale(let factor):
            guard let number = json.double, (number * factor).isFinite else { return json }
            return RawJSON { $0.append(number: number * factor) }
        case .garbage: return RawJSON(string: Self.garbage(&chance))
        }
    }

    private static func garbage(_ chance: inout FaultChance) -> String {
        let characters = Array("�#?%&$§~^|!_xQ7")
        return String((0..<16).map { _ in characters.randomElement(using: &chance) ?? "?" })
    }

    // MARK: Chance

    private static func ofChance(for json: RawJSON, _ chance: inout FaultChance) -> DataChange {
        var (place, path) = (json, [String]())
        while true {
            let names: [String]
            switch place.kind {
            case .object: names = place.members.compactMap(\.name)
            case .array: names = place.elements.indices.map(String.init)
            case .string, .number, .boolean, .null: names = []
            }
            guard let name = names.randomElement(using: &chance), path.isEmpty || Bool.random(using: &chance) else {
                break
            }
            let next = place.kind == .object ? place[name] : Int(name).map { place.elements[$0] }
            guard let next else { break }
            path.append(name)
            place = next
        }
        var operations: [Operation] = [.null, .swapType, .garbage]
        if !path.isEmpty { operations.append(.drop) }
        if place.kind == .number { operations.append(.scale(-1)) }
        if place.kind == .string || place.kind == .array { operations.append(.truncate(nil)) }
        return DataChange(operations.randomElement(using: &chance) ?? .null, at: path)
    }
}

extension RawJSON {
    fileprivate var swappingType: RawJSON {
        switch kind {
        case .string: RawJSON(integer: string?.count ?? 0)
        case .number, .boolean: RawJSON(string: description)
        case .null: RawJSON(integer: 0)
        case .array:
            RawJSON(object: elements.enumerated().map { Member(name: String($0), value: $1) })
        case .object: RawJSON(array: members.map(\.value))
        }
    }

    fileprivate func truncated(to length: Int?) -> RawJSON {
        if let string { return RawJSON(string: String(string.prefix(length ?? string.count / 2))) }
        guard kind == .array else { return self }
        let elements = elements
        return RawJSON(array: elements.prefix(length ?? elements.count / 2))
    }
}

extension RawJSON.Member {
    fileprivate func with(_ value: RawJSON) -> RawJSON.Member { RawJSON.Member(name: name ?? "", value: value) }
}
