internal import Envelopes

extension JSONWriter {
    /// Leaves the member out where there is no text.
    mutating func member(_ name: String, _ text: String?) {
        guard let text else { return }
        self.name(name)
        append(string: text)
    }

    /// Leaves the member out where there is no number. Whole numbers come without a fraction.
    mutating func member(_ name: String, number: Double?) {
        guard let number else { return }
        self.name(name)
        if let integer = Int(exactly: number) { append(integer) } else { append(number) }
    }

    /// ISO 8601. Leaves the member out where there is no time.
    /// - Parameter time: microseconds since 1970.
    mutating func member(_ name: String, time: Int64?) {
        guard let time else { return }
        member(name, Timestamp.text(microseconds: time))
    }

    /// JSON as the database returned it, byte for byte; `null` where there is none.
    mutating func member(_ name: String, stored json: [UInt8]?) {
        self.name(name)
        append(json.map { RawJSON(stored: $0) } ?? .null)
    }

    /// A list of envelopes, without their payloads and results.
    mutating func member(_ name: String, _ envelopes: [EnvelopeRecord]) {
        self.name(name)
        beginArray()
        for envelope in envelopes { envelope.write(to: &self, withBodies: false) }
        endArray()
    }

    /// MCP's content block for text.
    mutating func append(textBlock text: String) {
        beginObject()
        member("type", "text")
        member("text", text)
        endObject()
    }
}

extension JSONLimits {
    /// For what has been let in already. A sidecar may be set to take more than the standard, and what it has taken must not be lost here.
    static let ofBroker = JSONLimits(size: .max, nesting: 4096)
}

extension RawJSON {
    /// What a `json` column held. PostgreSQL has checked it when it was written; what is nested deeper than we ever accept reads as
    /// `null`.
    init(stored bytes: [UInt8]) {
        self = (try? RawJSON(bytes, limits: .ofBroker)) ?? .null
    }
}
