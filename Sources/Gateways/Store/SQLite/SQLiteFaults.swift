internal import Envelopes
internal import EventLoops
internal import Faults
internal import GRDB

extension SQLiteEnvelopeStore {
    func inject(_ fault: Fault, by caller: String?, limit: Int, now: Int64) async throws(StoreError) -> Bool {
        try await write { writer in
            try writer.database.run(
                """
                INSERT INTO faults (id, actor, owner, fault, injected_by, injected_at, ends_at)
                SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
                WHERE (SELECT count(*) FROM faults WHERE reset_at IS NULL AND ends_at > ?8) < ?9
                ON CONFLICT (id) DO NOTHING
                """,
                [
                    .text(fault.id), .text(fault.actor), .text(fault.owner), .text(fault.json.description),
                    .text(caller), .time(microseconds: fault.injectedAt), .time(microseconds: fault.until),
                    .time(microseconds: now), .integer(limit),
                ])
        }
    }

    func faults(_ filter: FaultFilter, limit: Int, now: Int64) async throws(StoreError) -> [FaultRecord] {
        try await read { database in
            var conditions = Conditions<DatabaseValue>()
            conditions.add(filter, now: now)
            let limit = conditions.place(.integer(limit))
            return try database.rows(
                """
                SELECT \(FaultRecord.columns) FROM faults \(conditions.clause)
                ORDER BY injected_at DESC, id LIMIT \(limit)
                """, conditions.values
            ) { try FaultRecord($0) }
        }
    }

    func resetFaults(_ filter: FaultFilter, by caller: String?, now: Int64) async throws(StoreError) -> [FaultRecord] {
        try await write { writer in
            var conditions = Conditions<DatabaseValue>()
            let time = conditions.place(.time(microseconds: now))
            let by = conditions.place(.text(caller))
            var active = filter
            active.isActive = true
            conditions.add(active, now: now)
            return try writer.database.rows(
                """
                UPDATE faults SET reset_at = \(time), reset_by = \(by), announced_at = NULL \(conditions.clause)
                RETURNING \(FaultRecord.columns)
                """, conditions.values
            ) { try FaultRecord($0) }
        }
    }

    func faultsToAnnounce(limit: Int, now: Int64) async throws(StoreError) -> [FaultState] {
        try await read { database in
            try database.rows(
                """
                SELECT \(FaultState.columns) FROM faults
                WHERE ends_at > ?1 AND (announced_at IS NULL OR announced_at < ?2)
                ORDER BY announced_at NULLS FIRST, injected_at LIMIT ?3
                """,
                [
                    .time(microseconds: now), .time(microseconds: now.later(by: .zero - FaultAnnouncer.repetition)),
                    .integer(limit),
                ]
            ) { try FaultState($0) }
        }
    }

    func markAnnounced(_ faults: [FaultState], now: Int64) async throws(StoreError) {
        try await write { writer in
            for state in faults {
                try writer.database.run(
                    "UPDATE faults SET announced_at = ?1 WHERE id = ?2 AND (reset_at IS NOT NULL) = ?3",
                    [.time(microseconds: now), .text(state.fault.id), .integer(state.isReset ? 1 : 0)])
            }
        }
    }

    func forgetFaults(endedBefore time: Int64) async throws(StoreError) {
        try await execute("DELETE FROM faults WHERE ends_at < ?", [.time(microseconds: time)])
    }
}
