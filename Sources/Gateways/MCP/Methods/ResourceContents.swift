internal import Envelopes

/// What a resource says, as MCP's `ResourceContents`.
struct ResourceContents: Sendable, Hashable {
    var uri: String
    var mimeType: String
    /// Base64 where it is no text.
    var content: String
    var isText: Bool

    init(uri: String, json: RawJSON) {
        self.uri = uri
        mimeType = "application/json"
        content = json.description
        isText = true
    }

    /// - Parameter values: for the places in a text.
    init(uri: String, _ mimeType: String, _ body: ResourceBody, _ values: [String: String]) {
        self.uri = uri
        self.mimeType = mimeType
        switch body {
        case .text(let template):
            // In JSON, places are within strings.
            let isJSON = mimeType == "application/json" || mimeType.hasSuffix("+json")
            content = template.text(isJSON ? values.mapValues(\.escapedForJSON) : values)
            isText = true
        case .data(let data):
            content = data
            isText = false
        }
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("uri", uri)
        writer.member("mimeType", mimeType)
        writer.member(isText ? "text" : "blob", content)
        writer.endObject()
    }
}

extension String {
    fileprivate var escapedForJSON: String { String(RawJSON(string: self).description.dropFirst().dropLast()) }
}
