public import Envelopes

/// A change of a handler's result, at one place or several.
public struct DataChange: Sendable, Hashable {
    public enum Operation: Sendable, Hashable {
        /// The member or element goes.
        case drop
        case null
        case set(RawJSON)
        /// A text becomes a number, a number or flag a text, a list an object and an object a list.
        case swapType
        /// A text or a list keeps so many characters or elements; `nil`: half of them.
        case truncate(Int?)
        /// A number times the factor.
        case scale(Double)
        /// A text that means nothing.
        case garbage
    }

    public var operation: Operation
    /// Names of members and indices of elements on the way there, `*` for each; empty: the whole result.
    public var path: [String]

    public init(_ operation: Operation, at path: [String]) {
        self.operation = operation
        self.path = path
    }

    /// Of one fault.
    static let limit = 20
    private static let pathLimit = 500

    /// Reads `{"op", "at"?, "value"?, "length"?, "factor"?}`; `at` is a JSON Pointer (RFC 6901) in which `*` stands for
    /// every member or element.
    public init(_ json: RawJSON) throws(InvalidFault) {
        let names = json.members.compactMap(\.name)
        guard json.kind == .object, let name = json["op"]?.string else {
            throw InvalidFault("/op", "a change must be an object with an 'op'")
        }
        guard let (operation, known) = try Self.operation(name, json) else {
            throw InvalidFault("/op", "'op' must be one of: drop, null, set, swap_type, truncate, scale, garbage")
        }
        if let stranger = names.first(where: { $0 != "op" && $0 != "at" && $0 != known }) {
            throw InvalidFault("/\(stranger.prefix(50))", "'\(name)' has no '\(stranger.prefix(50))'")
        }
        let pointer = json["at"]?.string ?? ""
        guard json["at"].map({ $0.kind == .string }) ?? true, pointer.isEmpty || pointer.hasPrefix("/"),
            pointer.utf8.count <= Self.pathLimit
        else {
            throw InvalidFault("/at", "'at' must be a JSON Pointer like /items/0/price; * stands for every one")
        }
        let path = pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            .map(JSONPointer.unescaped)
        if operation == .drop && path.isEmpty {
            throw InvalidFault("/at", "'drop' needs an 'at': a result as a whole cannot be left out")
        }
        self.init(operation, at: path)
    }

    /// - Returns: with the name of its own member; `nil` for a name that is none.
    private static func operation(
        _ name: String, _ json: RawJSON
    ) throws(InvalidFault) -> (operation: Operation, member: String)? {
        switch name {
        case "drop": return (.drop, "")
        case "null": return (.null, "")
        case "set":
            guard let value = json["value"], value.bytes.count <= 10_000 else {
                throw InvalidFault("/value", "'set' needs a 'value' of at most 10000 bytes")
            }
            return (.set(value.detached), "value")
        case "swap_type": return (.swapType, "")
        case "truncate":
            let length = json["length"]?.integer
            if json["length"] != nil && (length ?? -1) < 0 {
                throw InvalidFault("/length", "'length' must be a whole number, 0 or more")
            }
            return (.truncate(length), "length")
        case "scale":
            let factor = json["factor"] == nil ? -1 : json["factor"]?.double
            guard let factor, factor.isFinite else { throw InvalidFault("/factor", "'factor' must be a number") }
            return (.scale(factor), "factor")
        case "garbage": return (.garbage, "")
        default: return nil
        }
    }

    public var json: RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.name("op")
            writer.append(string: name)
            writer.name("at")
            writer.append(
                string: path.map { "/" + JSONPointer.escaped($0) }.joined())
            switch operation {
            case .set(let value):
                writer.name("value")
                writer.append(value)
            case .truncate(let length?):
                writer.name("length")
                writer.append(length)
            case .scale(let factor):
                writer.name("factor")
                writer.append(number: factor)
            case .drop, .null, .swapType, .truncate, .garbage: break
            }
            writer.endObject()
        }
    }

    private var name: String {
        switch operation {
        case .drop: "drop"
        case .null: "null"
        case .set: "set"
        case .swapType: "swap_type"
        case .truncate: "truncate"
        case .scale: "scale"
        case .garbage: "garbage"
        }
    }
}
