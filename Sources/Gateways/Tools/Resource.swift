internal import HTTPClient

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
                guard !value.isEmpty, let decoded = String(value).percentDecoded else { return nil }
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
