package import Envelopes

/// A JSON Schema (draft 2020-12), ready to check values. References lead within the document.
///
/// Nodes lie in one list and name each other by index, so that a schema may contain itself.
package struct JSONSchema: Sendable, Hashable {
    /// As its author wrote it.
    let json: RawJSON
    let nodes: [Node]

    static let root = 0

    /// - Throws: every mistake, and every keyword that isn't checked here: what is written shall hold.
    package init(_ json: RawJSON) throws(JSONSchemaErrors) {
        var reader = JSONSchemaReader()
        _ = reader.read(json, at: "")
        self.json = json
        nodes = try reader.finish()
    }

    private init(json: RawJSON, nodes: [Node]) {
        self.json = json
        self.nodes = nodes
    }

    /// Every object fits.
    static let objects = JSONSchema(
        json: RawJSON { writer in
            writer.beginObject()
            writer.member("type", "object")
            writer.endObject()
        }, nodes: [Node(types: [.object])])

    /// Whether every value that fits is an object, by the schema's own `type`.
    var isOfObjects: Bool { json["type"]?.string == "object" }

    /// What one schema of the document demands; what isn't set is not demanded.
    struct Node: Sendable, Hashable {
        /// For the schemas `true` and `false`.
        var isAlways: Bool?
        var reference: Int?
        var types: [SchemaType] = []
        var values: [RawJSON]?

        var minimum: Double?
        var maximum: Double?
        var exclusiveMinimum: Double?
        var exclusiveMaximum: Double?
        var multipleOf: Double?

        var lengths = Bounds()
        var pattern: String?

        var prefixItems: [Int] = []
        var items: Int?
        var contains: Int?
        var containsCount = Bounds()
        var itemCount = Bounds()
        var hasUniqueItems = false

        var properties: [Named] = []
        var patternProperties: [Named] = []
        var additionalProperties: Int?
        var propertyNames: Int?
        var propertyCount = Bounds()
        var required: [String] = []
        var dependentRequired: [String: [String]] = [:]
        var dependentSchemas: [Named] = []

        var allOf: [Int] = []
        var anyOf: [Int] = []
        var oneOf: [Int] = []
        var not: Int?
        var condition: Int?
        var consequence: Int?
        var alternative: Int?
    }

    struct Named: Sendable, Hashable {
        var name: String
        var schema: Int
    }

    struct Bounds: Sendable, Hashable {
        var least: Int?
        var most: Int?
    }

    enum SchemaType: String, Sendable, CaseIterable {
        case null, boolean, object, array, number, string, integer

        func accepts(_ value: RawJSON) -> Bool {
            self == .integer ? value.isInteger : value.kind.rawValue == rawValue
        }
    }
}

/// What is wrong with a schema, and where (JSON Pointer).
package struct JSONSchemaErrors: Error, Hashable, CustomStringConvertible {
    package var problems: [JSONSchema.Problem]
    package var description: String { problems.map(\.description).joined(separator: "; ") }
}

extension JSONSchema {
    /// A mistake in a schema, or in a value.
    package struct Problem: Sendable, Hashable, CustomStringConvertible {
        /// JSON Pointer; empty for the whole.
        package var pointer: String
        package var message: String

        package var description: String { pointer.isEmpty ? message : "\(pointer): \(message)" }
    }
}

extension String {
    /// One step of a JSON Pointer (RFC 6901).
    var pointerStep: String {
        "/" + JSONPointer.escaped(self)
    }
}
