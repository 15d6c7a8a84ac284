internal import Envelopes
internal import EventLoops
internal import Foundation
internal import GRDB
internal import SQLite

extension Database {
    /// A statement's rows, read one after the other.
    func rows<Value>(_ sql: String, _ values: [DatabaseValue] = [], _ read: (Row) throws -> Value) throws -> [Value] {
        let cursor = try Row.fetchCursor(cachedStatement(sql: sql), arguments: StatementArguments(values))
        var list: [Value] = []
        while let row = try cursor.next() { list.append(try read(row)) }
        return list
    }

    /// The first row; `nil` where there is none.
    func row<Value>(_ sql: String, _ values: [DatabaseValue] = [], _ read: (Row) throws -> Value) throws -> Value? {
        let cursor = try Row.fetchCursor(cachedStatement(sql: sql), arguments: StatementArguments(values))
        return try cursor.next().map(read)
    }

    /// - Returns: whether a row was changed.
    @discardableResult
    func run(_ sql: String, _ values: [DatabaseValue] = []) throws -> Bool {
        try cachedStatement(sql: sql).execute(arguments: StatementArguments(values))
        return changesCount > 0
    }
}

extension DatabaseValue: ConditionValue {
    static let mark: Character = "?"

    static func text(_ value: String?) -> DatabaseValue { value?.withoutNUL.databaseValue ?? .null }
    static func integer(_ value: Int?) -> DatabaseValue { value?.databaseValue ?? .null }
    static func double(_ value: Double?) -> DatabaseValue { value?.databaseValue ?? .null }
    static func time(microseconds value: Int64?) -> DatabaseValue { value?.databaseValue ?? .null }
    /// JSON as it is.
    static func json(_ value: RawJSON?) -> DatabaseValue { bytes(value.map { Array($0.bytes) }) }
    static func bytes(_ value: [UInt8]?) -> DatabaseValue { value.map { Data($0).databaseValue } ?? .null }

    /// A list, for `json_each` too.
    static func texts(_ values: some Sequence<String>) -> DatabaseValue {
        var writer = JSONWriter()
        writer.append(strings: values.map(\.withoutNUL))
        return String(decoding: writer.bytes, as: UTF8.self).databaseValue
    }

    static func integers(_ values: [Int64]) -> DatabaseValue {
        "[\(values.map(String.init).joined(separator: ","))]".databaseValue
    }
}

extension Int64 {
    /// A time so much later, in microseconds.
    func later(by duration: Duration) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(duration.nanosecondsClamped / 1000)
        return overflow ? (duration < .zero ? .min : .max) : sum
    }
}

extension Row: StoredRow {
    func isNull(_ column: Int) -> Bool { hasNull(atIndex: column) }
    func boolean(_ column: Int) throws -> Bool { try decode(Bool.self, atIndex: column) }
    func integer(_ column: Int) throws -> Int { try decode(Int.self, atIndex: column) }
    func optionalInteger(_ column: Int) throws -> Int? { try decode(Int?.self, atIndex: column) }
    func double(_ column: Int) throws -> Double { try decode(Double.self, atIndex: column) }
    func optionalDouble(_ column: Int) throws -> Double? { try decode(Double?.self, atIndex: column) }
    func string(_ column: Int) throws -> String { try decode(String.self, atIndex: column) }
    func optionalString(_ column: Int) throws -> String? { try decode(String?.self, atIndex: column) }

    /// Lists are stored as JSON.
    func strings(_ column: Int) throws -> [String] {
        guard let text = try optionalString(column) else { return [] }
        return RawJSON(stored: Array(text.utf8)).elements.compactMap(\.string)
    }

    func optionalBytes(_ column: Int) throws -> [UInt8]? {
        try withUnsafeData(atIndex: column) { $0.map { Array($0) } }
    }

    func microseconds(_ column: Int) throws -> Int64 { try decode(Int64.self, atIndex: column) }
    func optionalMicroseconds(_ column: Int) throws -> Int64? { try decode(Int64?.self, atIndex: column) }
}
