internal import PostgreSQL

/// Which schema this gateway works with, and what to say when it finds another.
enum SchemaVersion {
    /// Goes up with the `version` in `troupe_schema` (`gateway-schema/`).
    static let required = 12

    enum Finding: Sendable, Hashable {
        case fits
        case missing
        case older(Int)
        case newer(Int)
    }

    static func check(_ pool: Pool) async throws(PostgreSQLError) -> Finding {
        let rows: Rows
        do throws(PostgreSQLError) {
            rows = try await pool.query("SELECT version FROM troupe_schema")
        } catch {
            guard error.sqlState == .undefinedTable || error.sqlState == .undefinedColumn else { throw error }
            return .missing
        }
        guard let version = try rows.first?.integer(0) else { return .missing }
        return version == required ? .fits : version < required ? .older(version) : .newer(version)
    }

    /// What is wrong and the command that mends it; `nil` when the schema fits.
    static func advice(for finding: Finding) -> String? {
        let deploy = "sqitch --chdir gateway-schema deploy --verify \"db:$TROUPE_DATABASE_URL\""
        return switch finding {
        case .fits: nil
        case .missing: "the database has no schema: run: \(deploy)"
        case .older(let version):
            "the database has schema version \(version), this gateway needs \(required): run: \(deploy)"
        case .newer(let version):
            "the database has schema version \(version), this gateway knows \(required) at most: start a newer gateway"
        }
    }
}
