/// Why a payload is not what the handler takes, with the place in it.
struct PayloadError: Error {
    let message: String
    let cause: String

    init(_ error: DecodingError, payload: RawJSON) {
        message = error.summary(of: payload)
        cause = String(reflecting: error)
    }
}

extension DecodingError {
    /// As in `payload.sections[2].title: expected String, got number`.
    /// - Parameter payload: what was decoded, to say what stands there instead.
    func summary(of payload: RawJSON?) -> String {
        switch self {
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            let found = payload?.kind(at: context.codingPath) ?? "something else"
            return "\(context.codingPath.pointer): expected \(name(of: type)), got \(found)"
        case .keyNotFound(let key, let context):
            return "\((context.codingPath + [key]).pointer): missing"
        case .dataCorrupted(let context) where payload != nil && context.debugDescription.contains("not valid JSON"):
            // Foundation says so, without a place, of a number that doesn't fit; the text itself was checked before.
            return "payload: a number does not fit its type (a fraction for an integer, or too large)"
        case .dataCorrupted(let context):
            return "\(context.codingPath.pointer): \(context.debugDescription)"
        @unknown default:
            return String(describing: self)
        }
    }
}

/// A decoder asks for a dictionary where the handler's type is a struct, which says nothing to whoever sent the
/// payload.
private func name(of type: Any.Type) -> String {
    let name = String(describing: type)
    return name.hasPrefix("Dictionary<") ? "object" : name.hasPrefix("Array<") ? "array" : name
}

extension EncodingError {
    var summary: String {
        switch self {
        case .invalidValue(let value, let context):
            "the handler's result can't be written as JSON: \(value) at \(context.codingPath.pointer)"
        @unknown default:
            String(describing: self)
        }
    }
}

extension [any CodingKey] {
    fileprivate var pointer: String {
        reduce(into: "payload") { path, key in
            path += key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)"
        }
    }
}

extension RawJSON {
    fileprivate func kind(at path: [any CodingKey]) -> String {
        var value = self
        for key in path {
            let next =
                key.intValue.map { $0 < value.elements.count ? value.elements[$0] : nil } ?? value[key.stringValue]
            guard let next else { return "nothing" }
            value = next
        }
        return value.kind.rawValue
    }
}
