internal import Envelopes

/// OTLP's `ExportTraceServiceRequest` as JSON: names in camel case, ids in hexadecimal digits, 64-bit numbers as strings.
struct OTLPRequest {
    /// Who sends the spans.
    var resource: [String: String]
    var spans: [Span]

    func encoded() -> [UInt8] {
        var writer = JSONWriter(capacity: 512 + spans.count * 800)
        writer.beginObject()
        writer.array("resourceSpans") { writer in
            writer.beginObject()
            writer.name("resource")
            writer.beginObject()
            writer.append(attributes: resource.mapValues { .text($0) })
            writer.endObject()
            writer.array("scopeSpans") { writer in
                writer.beginObject()
                writer.name("scope")
                writer.beginObject()
                writer.name("name")
                writer.append(string: "troupe")
                writer.endObject()
                writer.array("spans") { writer in
                    for span in spans { writer.append(span) }
                }
                writer.endObject()
            }
            writer.endObject()
        }
        writer.endObject()
        return writer.bytes
    }
}

extension JSONWriter {
    fileprivate mutating func array(_ name: String, _ body: (inout JSONWriter) -> Void) {
        self.name(name)
        beginArray()
        body(&self)
        endArray()
    }

    fileprivate mutating func member(_ name: String, _ text: String) {
        self.name(name)
        append(string: text)
    }

    fileprivate mutating func append(_ span: Span) {
        beginObject()
        member("traceId", span.context.traceID)
        member("spanId", span.context.spanID)
        if let parent = span.parent { member("parentSpanId", parent.spanID) }
        name("flags")
        append(Int(span.context.flags))
        member("name", span.name)
        name("kind")
        append(span.kind.rawValue)
        member("startTimeUnixNano", String(span.start))
        member("endTimeUnixNano", String(span.end))
        var attributes = span.attributes
        if let error = span.error { attributes["error.type"] = .text(error) }
        append(attributes: attributes)
        if !span.links.isEmpty {
            array("links") { writer in
                for link in span.links {
                    writer.beginObject()
                    writer.member("traceId", link.traceID)
                    writer.member("spanId", link.spanID)
                    writer.endObject()
                }
            }
        }
        if span.error != nil {
            name("status")
            beginObject()
            name("code")
            append(2)
            endObject()
        }
        endObject()
    }

    fileprivate mutating func append(attributes: [String: Span.Value]) {
        array("attributes") { writer in
            for (key, value) in attributes.sorted(by: { $0.key < $1.key }) {
                writer.beginObject()
                writer.member("key", key)
                writer.name("value")
                writer.beginObject()
                switch value {
                case .text(let text): writer.member("stringValue", text)
                case .integer(let number): writer.member("intValue", String(number))
                }
                writer.endObject()
                writer.endObject()
            }
        }
    }
}
