/// A value for `$1`, `$2`, ... of a statement. Always sent in PostgreSQL's binary format with its type: bytes arrive as they are,
/// and nothing needs quoting.
public struct Parameter: Sendable, Hashable {
    let type: TypeID
    /// `nil` is SQL's null.
    let bytes: ArraySlice<UInt8>?

    private init(_ type: TypeID, _ bytes: ArraySlice<UInt8>?) {
        self.type = type
        self.bytes = bytes
    }

    /// PostgreSQL's text holds no NUL character: the server answers with SQLSTATE 22021 if there is one.
    public static func text(_ value: String?) -> Parameter { Parameter(.text, value.map { Array($0.utf8)[...] }) }

    public static func bytes(_ value: [UInt8]?) -> Parameter { Parameter(.bytea, value?[...]) }

    /// JSON text as it is; the server checks its grammar.
    public static func json(_ value: ArraySlice<UInt8>?) -> Parameter { Parameter(.json, value) }

    public static func integer(_ value: Int?) -> Parameter {
        Parameter(.int8, value.map { bigEndian(UInt64(bitPattern: Int64($0)))[...] })
    }

    public static func double(_ value: Double?) -> Parameter {
        Parameter(.float8, value.map { bigEndian($0.bitPattern)[...] })
    }

    public static func boolean(_ value: Bool?) -> Parameter { Parameter(.boolean, value.map { [$0 ? 1 : 0] }) }

    /// A `timestamptz`, in microseconds since 1970-01-01 00:00 UTC.
    public static func time(microseconds value: Int64?) -> Parameter {
        Parameter(.timestampWithTimeZone, value.map(encode(time:)))
    }

    public static func texts(_ values: [String?]) -> Parameter {
        Parameter(.textArray, encodeArray(of: .text, values.map { $0.map { Array($0.utf8)[...] } }))
    }

    public static func jsons(_ values: [ArraySlice<UInt8>?]) -> Parameter {
        Parameter(.jsonArray, encodeArray(of: .json, values))
    }

    public static func integers(_ values: [Int?]) -> Parameter {
        Parameter(
            .int8Array, encodeArray(of: .int8, values.map { $0.map { bigEndian(UInt64(bitPattern: Int64($0)))[...] } }))
    }

    public static func doubles(_ values: [Double?]) -> Parameter {
        Parameter(.float8Array, encodeArray(of: .float8, values.map { $0.map { bigEndian($0.bitPattern)[...] } }))
    }

    /// Each in microseconds since 1970-01-01 00:00 UTC.
    public static func times(microseconds values: [Int64?]) -> Parameter {
        Parameter(
            .timestampWithTimeZoneArray, encodeArray(of: .timestampWithTimeZone, values.map { $0.map(encode(time:)) }))
    }

    /// PostgreSQL counts from 2000-01-01.
    private static func encode(time microseconds: Int64) -> ArraySlice<UInt8> {
        bigEndian(UInt64(bitPattern: microseconds &- 946_684_800_000_000))[...]
    }

    /// One dimension, counted from 1: dimensions, has-nulls flag, element type, length, lower bound, then length and bytes of each.
    private static func encodeArray(of type: TypeID, _ elements: [ArraySlice<UInt8>?]) -> ArraySlice<UInt8> {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + elements.reduce(0) { $0 + 4 + ($1?.count ?? 0) })
        bytes += bigEndian(UInt32(elements.isEmpty ? 0 : 1))
        bytes += bigEndian(UInt32(elements.contains { $0 == nil } ? 1 : 0))
        bytes += bigEndian(type.rawValue)
        if !elements.isEmpty {
            bytes += bigEndian(UInt32(elements.count))
            bytes += bigEndian(UInt32(1))
        }
        for element in elements {
            bytes += bigEndian(element.map { UInt32($0.count) } ?? UInt32.max)
            if let element { bytes += element }
        }
        return bytes[...]
    }
}

func bigEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
}
