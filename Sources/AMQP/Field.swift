internal import CRabbitMQ

/// A value in an AMQP table.
public enum Field: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral
{
    case string(String)
    case integer(Int64)
    case boolean(Bool)
    case table([String: Field])
    case list([Field])

    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }

    public var string: String? { if case .string(let text) = self { text } else { nil } }
    public var integer: Int? { if case .integer(let number) = self { Int(number) } else { nil } }
    public var list: [Field] { if case .list(let fields) = self { fields } else { [] } }
    public subscript(name: String) -> Field? { if case .table(let fields) = self { fields[name] } else { nil } }
}

extension Field {
    /// Tables may come nested from outside; what is deeper is left out.
    private static let depthLimit = 4

    /// `nil` for a type that says nothing to us.
    init?(_ value: amqp_field_value_t, depth: Int = 0) {
        switch value.kind {
        case UInt8(ascii: "S"): self = .string(value.value.bytes.string)
        case UInt8(ascii: "t"): self = .boolean(value.value.boolean != 0)
        case UInt8(ascii: "l"), UInt8(ascii: "L"): self = .integer(value.value.i64)
        case UInt8(ascii: "T"): self = .integer(Int64(clamping: value.value.u64))
        case UInt8(ascii: "I"): self = .integer(Int64(value.value.i32))
        case UInt8(ascii: "i"): self = .integer(Int64(value.value.u32))
        case UInt8(ascii: "s"): self = .integer(Int64(value.value.i16))
        case UInt8(ascii: "u"): self = .integer(Int64(value.value.u16))
        case UInt8(ascii: "b"): self = .integer(Int64(value.value.i8))
        case UInt8(ascii: "B"): self = .integer(Int64(value.value.u8))
        case UInt8(ascii: "F") where depth < Self.depthLimit:
            self = .table([String: Field](value.value.table, depth: depth + 1))
        case UInt8(ascii: "A") where depth < Self.depthLimit:
            let array = value.value.array
            self = .list((0..<Int(array.num_entries)).compactMap { Field(array.entries[$0], depth: depth + 1) })
        default: return nil
        }
    }
}

extension [String: Field] {
    init(_ table: amqp_table_t, depth: Int = 0) {
        self.init(minimumCapacity: Int(table.num_entries))
        for index in 0..<Int(table.num_entries) {
            let entry = table.entries[index]
            self[entry.key.string] = Field(entry.value, depth: depth)
        }
    }
}
