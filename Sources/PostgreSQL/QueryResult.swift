internal import CPostgreSQL

/// Owns one `PGresult`.
// @unchecked: libpq never changes a result once it has handed it out, and only `deinit` frees it.
final class QueryResult: @unchecked Sendable {
    private let pointer: OpaquePointer
    let count: Int

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        count = Int(PQntuples(pointer))
    }

    deinit { PQclear(pointer) }

    var status: ExecStatusType { PQresultStatus(pointer) }

    var affectedCount: Int { Int(String(cString: PQcmdTuples(pointer))) ?? 0 }

    func type(_ column: Int) -> TypeID { TypeID(rawValue: PQftype(pointer, Int32(column))) }

    /// Valid as long as this object; `nil` for null and for a column that isn't there.
    func bytes(_ row: Int32, _ column: Int) -> UnsafeRawBufferPointer? {
        let column = Int32(column)
        guard column < PQnfields(pointer), PQgetisnull(pointer, row, column) == 0 else { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(pointer, row, column), count: Int(PQgetlength(pointer, row, column)))
    }

    var error: PostgreSQLError {
        PostgreSQLError(
            .server, field(Int32(UInt8(ascii: "M"))) ?? String(cString: PQresultErrorMessage(pointer)),
            sqlState: field(Int32(UInt8(ascii: "C"))).map { SQLState(rawValue: $0) },
            constraint: field(Int32(UInt8(ascii: "n"))))
    }

    /// The codes are those of the protocol's ErrorResponse (`PG_DIAG_*`).
    private func field(_ code: Int32) -> String? {
        PQresultErrorField(pointer, code).map { String(cString: $0) }
    }
}
