/// The resources that envelopes are: `troupe://envelopes/{id}`, and `troupe://envelopes/{id}/history`.
struct EnvelopeResource: Sendable, Hashable {
    var envelopeID: String
    var isHistory = false

    static let prefix = "troupe://envelopes/"
    private static let historySuffix = "/history"

    static let templates = [
        template("envelope", "{id}", "An envelope: status, progress, payload, result"),
        template("history", "{id}\(historySuffix)", "What has happened to an envelope, the oldest first"),
    ]

    private static func template(_ name: String, _ path: String, _ description: String) -> Resource {
        Resource(
            uri: Template(prefix + path), name: name, description: description, mimeType: "application/json",
            body: .text(Template("")))
    }

    static func uri(_ envelopeID: String) -> String { prefix + envelopeID }

    var uri: String { Self.uri(envelopeID) + (isHistory ? Self.historySuffix : "") }

    /// `nil` for what is no such URI.
    init?(_ uri: String) {
        guard uri.hasPrefix(Self.prefix) else { return nil }
        var id = uri.dropFirst(Self.prefix.count)
        if id.hasSuffix(Self.historySuffix) {
            id = id.dropLast(Self.historySuffix.count)
            isHistory = true
        }
        guard EnvelopeID.isAcceptable(String(id), lengthLimit: EnvelopeID.childLengthLimit) else { return nil }
        envelopeID = String(id)
    }
}
