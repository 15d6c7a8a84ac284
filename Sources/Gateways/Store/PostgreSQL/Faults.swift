internal import Envelopes
internal import EventLoops
internal import Faults
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    /// Two gateways at the same moment may go one beyond the limit, which hurts nobody: sidecars have their own.
    func inject(_ fault: Fault, by caller: String?, limit: Int, now: Int64) async throws(StoreError) -> Bool {
        try await !query(
            """
            INSERT INTO faults (id, actor, owner, fault, injected_by, injected_at, ends_at)
            SELECT $1, $2, $3, $4, $5, $6, $7
            WHERE (SELECT count(*) FROM faults WHERE reset_at IS NULL AND ends_at > $8) < $9
            ON CONFLICT (id) DO NOTHING RETURNING id
            """,
            [
                .text(fault.id), .text(fault.actor), .text(fault.owner), .text(fault.json.description), .text(caller),
                .time(microseconds: fault.injectedAt), .time(microseconds: fault.until), .time(microseconds: now),
                .integer(limit),
            ]
        ) { try $0.string(0) }.isEmpty
    }

    func faults(_ filter: FaultFilter, limit: Int, now: Int64) async throws(StoreError) -> [FaultRecord] {
        var conditions = Conditions<Parameter>()
        conditions.add(filter, now: now)
        let limit = conditions.place(.integer(limit))
        return try await query(
            """
            SELECT \(FaultRecord.columns) FROM faults \(conditions.clause) ORDER BY injected_at DESC, id LIMIT \(limit)
            """, conditions.values
        ) { try FaultRecord($0) }
    }

    func resetFaults(_ filter: FaultFilter, by caller: String?, now: Int64) async throws(StoreError) -> [FaultRecord] {
        var conditions = Conditions<Parameter>()
        let time = conditions.place(.time(microseconds: now))
        let by = conditions.place(.text(caller))
        var active = filter
        active.isActive = true
        conditions.add(active, now: now)
        return try await query(
            """
            UPDATE faults SET reset_at = \(time), reset_by = \(by), announced_at = NULL \(conditions.clause)
            RETURNING \(FaultRecord.columns)
            """, conditions.values
        ) { try FaultRecord($0) }
    }

    func faultsToAnnounce(limit: Int, now: Int64) async throws(StoreError) -> [FaultState] {
        try await query(
            """
            SELECT \(FaultState.columns) FROM faults
            WHERE ends_at > $1 AND (announced_at IS NULL OR announced_at < $2)
            ORDER BY announced_at NULLS FIRST, injected_at LIMIT $3
            """,
            [
                .time(microseconds: now), .time(microseconds: now.later(by: .zero - FaultAnnouncer.repetition)),
                .integer(limit),
            ]
        ) { try FaultState($0) }
    }

    func markAnnounced(_ faults: [FaultState], now: Int64) async throws(StoreError) {
        try await execute(
            """
            UPDATE faults SET announced_at = $1
            WHERE id = ANY($2) AND reset_at IS NULL OR id = ANY($3)
            """,
            [
                .time(microseconds: now), .texts(faults.filter { !$0.isReset }.map(\.fault.id)),
                .texts(faults.filter(\.isReset).map(\.fault.id)),
            ])
    }

    func forgetFaults(endedBefore time: Int64) async throws(StoreError) {
        try await execute("DELETE FROM faults WHERE ends_at < $1", [.time(microseconds: time)])
    }
}
