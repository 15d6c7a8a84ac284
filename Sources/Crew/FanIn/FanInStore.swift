internal import ActorKit
internal import EventLoops
internal import PostgreSQL

/// The groups in PostgreSQL (`gateway-schema/deploy/fan_in.sql`). Each call is one statement, and may be made again when it
/// is not known whether it was carried out.
struct FanInStore: Sendable {
    let pool: Pool
    let limits: FanInLimits

    /// Takes a piece into its group, where there is none yet begins it, and decides what becomes of the group when the
    /// piece is its first.
    func arrive(_ piece: FanInPiece, _ payload: RawJSON) async throws(PostgreSQLError) -> FanInGroup {
        let timeout = min(piece.timeout ?? limits.timeout, limits.timeout)
        let rows = try await pool.query(
            """
            SELECT group_count, group_is_indexed, group_arrived, group_is_too_large, group_outcome, waited_ms, left_ms,
                   piece_place, piece_owner
            FROM fan_in_arrive($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            [
                .text(piece.group), .integer(piece.count), .integer(piece.index), .text(piece.envelopeID),
                .text(piece.attempt), .json(payload.bytes), .integer(Int(timeout.nanosecondsClamped / 1_000_000)),
                .boolean(piece.releasesPartial), .integer(limits.groupBytes),
            ])
        guard let row = rows.first else { throw PostgreSQLError(.unexpectedResult, "fan_in_arrive gave no row") }
        return FanInGroup(
            count: try row.integer(0), isIndexed: try row.boolean(1), arrived: try row.integer(2),
            isTooLarge: try row.boolean(3),
            outcome: try row.optionalString(4).flatMap(FanInGroup.Outcome.init),
            waited: .milliseconds(try row.double(5)), left: .milliseconds(try row.double(6)),
            place: try row.optionalInteger(7), owner: try row.optionalString(8))
    }

    /// The payloads of a group, byte for byte, in the order of their places, with a null for each that is missing. Once a
    /// group is released it always gives the same.
    func list(_ piece: FanInPiece) async throws(PostgreSQLError) -> RawJSON {
        let rows = try await pool.query(
            """
            SELECT '[' || string_agg(COALESCE(p.payload::text, 'null'), ',' ORDER BY n.place) || ']'
            FROM generate_series(0, $2 - 1) AS n (place) LEFT JOIN fan_in_pieces p ON p.group_id = $1 AND p.place = n.place
            """, [.text(piece.group), .integer(piece.count)])
        guard let row = rows.first else { throw PostgreSQLError(.unexpectedResult, "no list") }
        let bytes = try row.bytes(0)
        do throws(JSONError) {
            return try RawJSON(bytes, limits: JSONLimits(size: .max, nesting: 4096))
        } catch {
            throw PostgreSQLError(.unexpectedResult, "the list is not JSON: \(error)")
        }
    }

    /// Places of a group where there is no piece, ascending.
    func missing(_ piece: FanInPiece) async throws(PostgreSQLError) -> [Int] {
        try await pool.query(
            """
            SELECT n.place FROM generate_series(0, $2 - 1) AS n (place)
            WHERE NOT EXISTS (SELECT FROM fan_in_pieces p WHERE p.group_id = $1 AND p.place = n.place)
            ORDER BY n.place
            """, [.text(piece.group), .integer(piece.count)]
        ).map { (row) throws(PostgreSQLError) in try row.integer(0) }
    }

    /// Groups that nobody asks for any more: a while after the decision, and long after the deadline where piece 0 never
    /// came to hear of it.
    /// - Returns: how many went, `limit` at most.
    func deleteOutdated(limit: Int) async throws(PostgreSQLError) -> Int {
        try await pool.query(
            """
            DELETE FROM fan_in_groups WHERE id IN (
                SELECT id FROM fan_in_groups
                WHERE decided_at < clock_timestamp() - $1 * interval '1 millisecond'
                   OR (decided_at IS NULL AND created_at < clock_timestamp() - $2 * interval '1 millisecond')
                LIMIT $3 FOR UPDATE SKIP LOCKED)
            """,
            [
                .double(limits.retention.inSeconds * 1000),
                .double((limits.timeout + limits.retention).inSeconds * 1000), .integer(limit),
            ]
        ).affectedCount
    }

    /// Whether the schema is what this code works with.
    func hasSchema() async throws(PostgreSQLError) -> Bool {
        let rows = try await pool.query(
            """
            SELECT to_regprocedure('fan_in_arrive(text,bigint,bigint,text,text,json,bigint,boolean,bigint)') IS NOT NULL
            """)
        return try rows.first.map { (row) throws(PostgreSQLError) in try row.boolean(0) } ?? false
    }
}
