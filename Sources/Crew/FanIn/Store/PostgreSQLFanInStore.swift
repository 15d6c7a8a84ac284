internal import ActorKit
internal import EventLoops
internal import Glibc
internal import PostgreSQL

/// The groups in PostgreSQL (`gateway-schema/deploy/fan_in.sql`), for any number of replicas. Each call is one statement.
struct PostgreSQLFanInStore: FanInStore {
    let pool: Pool
    let limits: FanInLimits

    func arrive(_ piece: FanInPiece, _ payload: RawJSON) async throws(FanInStoreError) -> FanInGroup {
        let timeout = limits.timeout(of: piece)
        return try await one(
            """
            SELECT group_count, group_is_indexed, group_arrived, group_is_too_large, group_outcome, waited_ms, left_ms,
                   piece_place, piece_owner
            FROM fan_in_arrive($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            [
                .text(piece.group), .integer(piece.count), .integer(piece.index), .text(piece.envelopeID),
                .text(piece.attempt), .json(payload.bytes), .integer(Int(timeout.nanosecondsClamped / 1_000_000)),
                .boolean(piece.releasesPartial), .integer(limits.groupBytes),
            ]
        ) { row in
            FanInGroup(
                count: try row.integer(0), isIndexed: try row.boolean(1), arrived: try row.integer(2),
                isTooLarge: try row.boolean(3),
                outcome: try row.optionalString(4).flatMap(FanInGroup.Outcome.init),
                waited: .milliseconds(try row.double(5)), left: .milliseconds(try row.double(6)),
                place: try row.optionalInteger(7), owner: try row.optionalString(8))
        }
    }

    func list(_ piece: FanInPiece) async throws(FanInStoreError) -> RawJSON {
        try await one(
            """
            SELECT '[' || string_agg(COALESCE(p.payload::text, 'null'), ',' ORDER BY n.place) || ']'
            FROM generate_series(0, $2 - 1) AS n (place) LEFT JOIN fan_in_pieces p ON p.group_id = $1 AND p.place = n.place
            """, [.text(piece.group), .integer(piece.count)]
        ) { try RawJSON(list: $0.bytes(0)) }
    }

    func missing(_ piece: FanInPiece) async throws(FanInStoreError) -> [Int] {
        try await query(
            """
            SELECT n.place FROM generate_series(0, $2 - 1) AS n (place)
            WHERE NOT EXISTS (SELECT FROM fan_in_pieces p WHERE p.group_id = $1 AND p.place = n.place)
            ORDER BY n.place
            """, [.text(piece.group), .integer(piece.count)]
        ) { try $0.integer(0) }
    }

    func deleteOutdated(limit: Int) async throws(FanInStoreError) -> Int {
        try await query(
            """
            DELETE FROM fan_in_groups WHERE id IN (
                SELECT id FROM fan_in_groups
                WHERE decided_at < clock_timestamp() - $1 * interval '1 millisecond'
                   OR (decided_at IS NULL AND created_at < clock_timestamp() - $2 * interval '1 millisecond')
                LIMIT $3 FOR UPDATE SKIP LOCKED)
            RETURNING 1
            """,
            [
                .double(limits.retention.inSeconds * 1000),
                .double((limits.timeout + limits.retention).inSeconds * 1000), .integer(limit),
            ]
        ) { _ in }.count
    }

    // MARK: Start

    func open(log: Log, patience: Duration) async throws {
        let hasSchema: Bool
        do {
            hasSchema = try await pool.untilAvailable(patience: patience) { error in
                log.warning("waiting for the database", ["error": "\(error)"])
            } _: { (_) throws(PostgreSQLError) in
                try await self.hasSchema()
            }
        } catch let error as PostgreSQLError {
            guard error.isUnavailable else {
                throw StartError("TROUPE_DATABASE_URL: the database refused: \(error)")
            }
            throw StartError(
                "TROUPE_DATABASE_URL: no database for \(patience.inWords): \(error)", exitCode: EX_UNAVAILABLE)
        }
        guard hasSchema else {
            throw StartError(
                "TROUPE_DATABASE_URL: the database has no tables for fan-in, or those of another version: run: "
                    + "sqitch --chdir gateway-schema deploy --verify \"db:$TROUPE_DATABASE_URL\"")
        }
    }

    /// Whether the schema is what this code works with.
    private func hasSchema() async throws(PostgreSQLError) -> Bool {
        let rows = try await pool.query(
            """
            SELECT to_regprocedure('fan_in_arrive(text,bigint,bigint,text,text,json,bigint,boolean,bigint)') IS NOT NULL
            """)
        return try rows.first.map { (row) throws(PostgreSQLError) in try row.boolean(0) } ?? false
    }

    // MARK: Statements

    private func query<Value>(
        _ sql: String, _ parameters: [Parameter], _ read: (Row) throws -> Value
    ) async throws(FanInStoreError) -> [Value] {
        do {
            return try await pool.query(sql, parameters).map(read)
        } catch {
            throw FanInStoreError(error)
        }
    }

    private func one<Value>(
        _ sql: String, _ parameters: [Parameter], _ read: (Row) throws -> Value
    ) async throws(FanInStoreError) -> Value {
        guard let value = try await query(sql, parameters, read).first else {
            throw FanInStoreError(isAboutValues: true, description: "a statement gave no row")
        }
        return value
    }
}

extension FanInStoreError {
    fileprivate init(_ error: any Error) {
        // A list that can't be read is no better the next time.
        let isAboutValues = (error as? PostgreSQLError)?.isAboutValues ?? (error is JSONError)
        self.init(isAboutValues: isAboutValues, description: "\(error)")
    }
}
