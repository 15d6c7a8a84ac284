internal import CPostgreSQL

/// What a statement returned. Rows read straight from libpq's memory, which lives as long as any of them.
public struct Rows: RandomAccessCollection, Sendable {
    private let result: QueryResult

    init(_ result: QueryResult) { self.result = result }

    public var startIndex: Int { 0 }
    public var endIndex: Int { result.count }

    public subscript(index: Int) -> Row {
        precondition(indices.contains(index), "row \(index) of \(result.count)")
        return Row(result: result, number: Int32(index))
    }

    /// Rows that an INSERT, UPDATE or DELETE has touched.
    public var affectedCount: Int { result.affectedCount }
}

/// One row. Columns count from 0, in the order of the statement's list.
public struct Row: Sendable {
    let result: QueryResult
    let number: Int32

    public func isNull(_ column: Int) -> Bool { result.bytes(number, column) == nil }

    public func string(_ column: Int) throws(PostgreSQLError) -> String { try require(optionalString(column), column) }
    public func integer(_ column: Int) throws(PostgreSQLError) -> Int { try require(optionalInteger(column), column) }
    public func double(_ column: Int) throws(PostgreSQLError) -> Double { try require(optionalDouble(column), column) }
    public func bytes(_ column: Int) throws(PostgreSQLError) -> [UInt8] { try require(optionalBytes(column), column) }
    /// A `timestamptz` as microseconds since 1970-01-01 00:00 UTC.
    public func microseconds(_ column: Int) throws(PostgreSQLError) -> Int64 {
        try require(optionalMicroseconds(column), column)
    }

    public func boolean(_ column: Int) throws(PostgreSQLError) -> Bool {
        try require(value(column, as: "boolean", [.boolean]) { $0.first.map { $0 != 0 } }, column)
    }

    /// Any type whose binary form is its text: text, varchar, name, json, enums.
    public func optionalString(_ column: Int) throws(PostgreSQLError) -> String? {
        result.bytes(number, column).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The column's bytes: a `bytea`'s content, a text's or `json`'s UTF-8.
    public func optionalBytes(_ column: Int) throws(PostgreSQLError) -> [UInt8]? {
        result.bytes(number, column).map { Array($0) }
    }

    public func optionalInteger(_ column: Int) throws(PostgreSQLError) -> Int? {
        try value(column, as: "an integer", [.int2, .int4, .int8]) { bytes in
            switch bytes.count {
            case 2: Int(Int16(bitPattern: bytes.bigEndian()))
            case 4: Int(Int32(bitPattern: bytes.bigEndian()))
            case 8: Int(Int64(bitPattern: bytes.bigEndian()))
            default: nil
            }
        }
    }

    public func optionalDouble(_ column: Int) throws(PostgreSQLError) -> Double? {
        try value(column, as: "a floating-point number", [.float4, .float8]) { bytes in
            switch bytes.count {
            case 4: Double(Float(bitPattern: bytes.bigEndian()))
            case 8: Double(bitPattern: bytes.bigEndian())
            default: nil
            }
        }
    }

    public func optionalMicroseconds(_ column: Int) throws(PostgreSQLError) -> Int64? {
        try value(column, as: "timestamptz", [.timestampWithTimeZone]) { bytes in
            // PostgreSQL counts from 2000-01-01; its infinities lie at the ends of the range.
            bytes.count == 8
                ? Int64(bitPattern: bytes.bigEndian()).addingReportingOverflow(946_684_800_000_000).partialValue : nil
        }
    }

    /// A one-dimensional `text[]`, nulls left out; empty for null.
    public func strings(_ column: Int) throws(PostgreSQLError) -> [String] {
        try value(column, as: "text[]", [.textArray]) { decodeTextArray($0) } ?? []
    }

    private func value<Value>(
        _ column: Int, as wanted: StaticString, _ types: [TypeID], _ decode: (UnsafeRawBufferPointer) -> Value?
    ) throws(PostgreSQLError) -> Value? {
        guard let bytes = result.bytes(number, column) else { return nil }
        guard types.contains(result.type(column)), let value = decode(bytes) else {
            throw PostgreSQLError(.unexpectedResult, "column \(column) is not \(wanted)")
        }
        return value
    }

    private func require<Value>(_ value: Value?, _ column: Int) throws(PostgreSQLError) -> Value {
        guard let value else { throw PostgreSQLError(.unexpectedResult, "column \(column) is null") }
        return value
    }
}

private func decodeTextArray(_ bytes: UnsafeRawBufferPointer) -> [String]? {
    guard bytes.count >= 12 else { return nil }
    let dimensions: UInt32 = bytes.bigEndian()
    guard dimensions > 0 else { return [] }
    guard dimensions == 1, bytes.count >= 20 else { return nil }
    var strings: [String] = []
    var offset = 20
    while offset + 4 <= bytes.count {
        let length = Int(Int32(bitPattern: bytes.bigEndian(at: offset)))
        offset += 4
        guard length >= 0 else { continue }
        guard offset + length <= bytes.count else { return nil }
        strings.append(String(decoding: bytes[offset..<(offset + length)], as: UTF8.self))
        offset += length
    }
    return strings
}

extension UnsafeRawBufferPointer {
    fileprivate func bigEndian<Number: FixedWidthInteger>(at offset: Int = 0) -> Number {
        Number(bigEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}
