/// Something to read that a tool file offers: one document, or, where its URI has `{name}` in it, one for each value.
struct Resource: Sendable, Hashable {
    var uri: Template
    var name: String
    /// For people.
    var title: String?
    var description: String?
    var mimeType: String
    var body: ResourceBody

    var isTemplate: Bool { !uri.names.isEmpty }

    /// The values for which this is the resource of a URI: none for a document, `nil` if it isn't.
    func values(in text: String) -> [String: String]? {
        var values: [String: String] = [:]
        var rest = text[...]
        for (index, part) in uri.parts.enumerated() {
            switch part {
            case .text(let text):
                guard rest.hasPrefix(text) else { return nil }
                rest.removeFirst(text.count)
            case .value(let name):
                // As RFC 6570 expands it: what has a meaning in a URI is percent-encoded in values.
                var value = rest.prefix { !"/?#".contains($0) }
                if index + 1 < uri.parts.count, case .text(let next) = uri.parts[index + 1],
                    let end = rest.firstRange(of: next)?.lowerBound, end < value.endIndex
                {
                    value = rest[..<end]
                }
                guard !value.isEmpty, let decoded = value.percentDecoded else { return nil }
                if let earlier = values.updateValue(decoded, forKey: name), earlier != decoded { return nil }
                rest = rest[value.endIndex...]
            }
        }
        return rest.isEmpty ? values : nil
    }
}

/// What there is to read.
enum ResourceBody: Sendable, Hashable {
    case text(Template)
    /// Base64.
    case data(String)
}

extension Substring {
    /// `nil` where a `%` is followed by something else than two hexadecimal digits, or the bytes are no UTF-8.
    fileprivate var percentDecoded: String? {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.first != UInt8(ascii: "+"),
                let decoded = UInt8(Substring(digits), radix: 16)
            else { return nil }
            bytes.append(decoded)
            rest.removeFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
