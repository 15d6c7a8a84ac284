internal import ActorKit
internal import Envelopes
internal import EventLoops
internal import Foundation
internal import GRDB
internal import Glibc
internal import SQLite
internal import Synchronization

/// The groups in a file of their own, for one process. Writes take turns: what is read here stands until it is written.
final class SQLiteFanInStore: FanInStore {
    private let path: String
    private let limits: FanInLimits
    private let opened: Mutex<SQLiteFile?>

    init(path: String, limits: FanInLimits) {
        self.path = path
        self.limits = limits
        opened = Mutex(nil)
    }

    /// - Parameter file: open, with its tables.
    init(_ file: SQLiteFile, limits: FanInLimits) {
        path = file.path
        self.limits = limits
        opened = Mutex(file)
    }

    // MARK: Start

    func open(log: Log, patience: Duration) async throws {
        let end = MonotonicTime.now.advanced(by: patience)
        var backoff = Backoff(ceiling: .seconds(1))
        while true {
            do throws(SQLiteError) {
                let file = try SQLiteFile(path: path)
                try file.migrate("fan-in", FanInTables.steps)
                return opened.withLock { $0 = file }
            } catch {
                // The process before this one may just be ending.
                guard error.code == .inUse, .now < end else {
                    throw StartError(
                        "TROUPE_FAN_IN_FILE: \(error.message)",
                        exitCode: error.isUnavailable || error.code == .inUse ? EX_UNAVAILABLE : StartError.wrongSetting
                    )
                }
                log.warning("waiting for the file", ["error": "\(error)"])
            }
            try await Task.sleep(for: backoff.next())
        }
    }

    private func file() throws(FanInStoreError) -> SQLiteFile {
        guard let file = opened.withLock({ $0 }) else {
            throw FanInStoreError(isAboutValues: false, description: "the file is not open")
        }
        return file
    }

    private func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(FanInStoreError) -> Value {
        let file = try file()
        do throws(SQLiteError) { return try await file.read(body) } catch { throw FanInStoreError(error) }
    }

    private func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(FanInStoreError) -> Value {
        let file = try file()
        do throws(SQLiteError) { return try await file.write(body) } catch { throw FanInStoreError(error) }
    }

    // MARK: Groups

    func arrive(_ piece: FanInPiece, _ payload: RawJSON) async throws(FanInStoreError) -> FanInGroup {
        let limits = limits
        return try await write { database in
            let now = Timestamp.microsecondsNow()
            let before = try database.group(piece.group)
            var group = before ?? FanInGroupState(piece, timeout: limits.timeout(of: piece), now: now)
            let known = try database.seat(of: piece)
            let seat = group.take(
                piece, known: known, bytes: payload.bytes.count, limit: limits.groupBytes, now: now)
            if group != before { try database.save(group, as: piece.group) }
            if known == nil, let seat { try database.insert(piece, payload, at: seat) }
            return FanInGroup(group, seat, now: now)
        }
    }

    func list(_ piece: FanInPiece) async throws(FanInStoreError) -> RawJSON {
        let bytes = try await read { database in
            var list: [UInt8] = [UInt8(ascii: "[")]
            var place = 0
            func add(_ payload: some Sequence<UInt8>) {
                if place > 0 { list.append(UInt8(ascii: ",")) }
                list += payload
                place += 1
            }
            let rows = try Row.fetchCursor(
                database,
                sql: "SELECT place, payload FROM fan_in_pieces WHERE group_id = ? AND place < ? ORDER BY place",
                arguments: [piece.group, piece.count])
            while let row = try rows.next() {
                while place < (row[0] as Int) { add("null".utf8) }
                add(row[1] as Data)
            }
            while place < piece.count { add("null".utf8) }
            list.append(UInt8(ascii: "]"))
            return list
        }
        do throws(JSONError) { return try RawJSON(list: bytes) } catch {
            throw FanInStoreError(isAboutValues: true, description: "the list is not JSON: \(error)")
        }
    }

    func missing(_ piece: FanInPiece) async throws(FanInStoreError) -> [Int] {
        let places = try await read { database in
            try Int.fetchSet(
                database, sql: "SELECT place FROM fan_in_pieces WHERE group_id = ?", arguments: [piece.group])
        }
        return (0..<piece.count).filter { !places.contains($0) }
    }

    func deleteOutdated(limit: Int) async throws(FanInStoreError) -> Int {
        let limits = limits
        return try await write { database in
            let now = Timestamp.microsecondsNow()
            try database.execute(
                sql: """
                    DELETE FROM fan_in_groups WHERE id IN (
                        SELECT id FROM fan_in_groups WHERE decided_at < ? OR (decided_at IS NULL AND created_at < ?) LIMIT ?)
                    """,
                arguments: [
                    now - limits.retention.microseconds, now - (limits.timeout + limits.retention).microseconds, limit,
                ])
            return database.changesCount
        }
    }
}

extension FanInStoreError {
    fileprivate init(_ error: SQLiteError) {
        self.init(isAboutValues: error.code == .constraint, description: "\(error)")
    }
}

extension Database {
    fileprivate func group(_ id: String) throws -> FanInGroupState? {
        try Row.fetchOne(cachedStatement(sql: "SELECT * FROM fan_in_groups WHERE id = ?"), arguments: [id])
            .map { FanInGroupState($0) }
    }

    fileprivate func save(_ group: FanInGroupState, as id: String) throws {
        try cachedStatement(
            sql: """
                INSERT INTO fan_in_groups (
                    id, piece_count, is_indexed, releases_partial, deadline, created_at, arrived, bytes, is_too_large, outcome, attempt,
                    decided_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET
                    arrived = excluded.arrived, bytes = excluded.bytes, is_too_large = excluded.is_too_large, outcome = excluded.outcome,
                    attempt = excluded.attempt, decided_at = excluded.decided_at
                """
        ).execute(arguments: [
            id, group.count, group.isIndexed, group.releasesPartial, group.deadline, group.createdAt, group.arrived,
            group.bytes, group.isTooLarge, group.outcome?.rawValue, group.attempt, group.decidedAt,
        ])
    }

    fileprivate func seat(of piece: FanInPiece) throws -> FanInGroupState.Seat? {
        try Row.fetchOne(
            cachedStatement(sql: "SELECT place, envelope_id FROM fan_in_pieces WHERE group_id = ? AND name = ?"),
            arguments: [piece.group, piece.name]
        ).map { .init(place: $0[0], owner: $0[1]) }
    }

    fileprivate func insert(_ piece: FanInPiece, _ payload: RawJSON, at seat: FanInGroupState.Seat) throws {
        try cachedStatement(
            sql: "INSERT INTO fan_in_pieces (group_id, name, place, envelope_id, payload) VALUES (?, ?, ?, ?, ?)"
        ).execute(arguments: [piece.group, piece.name, seat.place, seat.owner, Data(payload.bytes)])
    }
}

extension FanInGroupState {
    fileprivate init(_ row: Row) {
        self.init(
            count: row["piece_count"], isIndexed: row["is_indexed"], releasesPartial: row["releases_partial"],
            deadline: row["deadline"], createdAt: row["created_at"], arrived: row["arrived"], bytes: row["bytes"],
            isTooLarge: row["is_too_large"],
            outcome: (row["outcome"] as String?).flatMap(FanInGroup.Outcome.init), attempt: row["attempt"],
            decidedAt: row["decided_at"])
    }
}
