internal import Foundation
internal import GRDB
internal import SQLite
internal import Transports

/// What the broker keeps in the file.
enum BrokerTables {
    static let steps: [@Sendable (Database) throws -> Void] = [
        { database in
            try database.execute(
                sql: """
                    CREATE TABLE broker_queues (
                        id INTEGER PRIMARY KEY,
                        name TEXT NOT NULL UNIQUE
                    ) STRICT;

                    -- A place is never used again: what lies behind a place that was read is new.
                    -- The body comes last, so that what is before it can be read without it.
                    CREATE TABLE broker_messages (
                        place INTEGER PRIMARY KEY AUTOINCREMENT,
                        queue INTEGER NOT NULL REFERENCES broker_queues ON DELETE CASCADE,
                        deliveries INTEGER NOT NULL DEFAULT 0,
                        published_at INTEGER NOT NULL, -- seconds since 1970
                        id TEXT NOT NULL,
                        dead_actor TEXT,
                        dead_reason TEXT,
                        dead_at INTEGER,
                        body BLOB NOT NULL
                    ) STRICT;
                    CREATE INDEX broker_messages_by_queue ON broker_messages (queue, place);

                    CREATE TABLE broker_delayed (
                        number INTEGER PRIMARY KEY,
                        due INTEGER NOT NULL, -- milliseconds since 1970
                        queue INTEGER NOT NULL REFERENCES broker_queues ON DELETE CASCADE,
                        published_at INTEGER NOT NULL,
                        id TEXT NOT NULL,
                        body BLOB NOT NULL
                    ) STRICT;
                    CREATE INDEX broker_delayed_by_due ON broker_delayed (due);
                    CREATE INDEX broker_delayed_by_queue ON broker_delayed (queue);
                    """)
        }
    ]

    struct Inventory: Sendable {
        var queues: [(name: QueueName, id: QueueID, waiting: Int)] = []
        var nextDue: Int64?
    }

    /// What is there when the process starts. Queues of the one before are forgotten.
    static func takeStock(_ database: Database) throws -> Inventory {
        var inventory = Inventory()
        for row in try Row.fetchAll(database, sql: "SELECT id, name FROM broker_queues") {
            guard let name = QueueName(text: row[1]) else { continue }
            let id: QueueID = row[0]
            if name.isOfThisProcess {
                try forget(id, in: database)
                continue
            }
            let sql = "SELECT count(*) FROM broker_messages WHERE queue = ?"
            inventory.queues.append((name, id, try Int.fetchOne(database, sql: sql, arguments: [id]) ?? 0))
        }
        inventory.nextDue = try nextDue(database)
        return inventory
    }

    static func nextDue(_ database: Database) throws -> Int64? {
        try Int64.fetchOne(database, sql: "SELECT min(due) FROM broker_delayed")
    }

    static func declare(_ name: QueueName, in database: Database) throws -> QueueID {
        try database.execute(
            sql: "INSERT INTO broker_queues (name) VALUES (?) ON CONFLICT DO NOTHING", arguments: [name.text])
        let sql = "SELECT id FROM broker_queues WHERE name = ?"
        return try QueueID.fetchOne(database, sql: sql, arguments: [name.text]) ?? database.lastInsertedRowID
    }

    static func forget(_ queue: QueueID, in database: Database) throws {
        try database.execute(sql: "DELETE FROM broker_queues WHERE id = ?", arguments: [queue])
    }

    // MARK: Messages

    static func insert(_ copy: Publication.Copy, publishedAt: Int, in database: Database) throws {
        // The bytes are only lent to SQLite, which copies them.
        let body = Data(copy.body)
        if let due = copy.due {
            try database.cachedStatement(
                sql: "INSERT INTO broker_delayed (due, queue, published_at, id, body) VALUES (?, ?, ?, ?, ?)"
            ).execute(arguments: [due, copy.queue, publishedAt, copy.id, body])
        } else {
            let letter = copy.deadLetter
            try database.cachedStatement(
                sql: """
                    INSERT INTO broker_messages (queue, published_at, id, dead_actor, dead_reason, dead_at, body)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(
                arguments: [copy.queue, publishedAt, copy.id, letter?.actor, letter?.reason, letter?.time, body])
        }
    }

    static func delete(_ places: [Place], in database: Database) throws {
        if places.isEmpty { return }
        try database.cachedStatement(
            sql: "DELETE FROM broker_messages WHERE place IN (SELECT value FROM json_each(?))"
        ).execute(arguments: [list(places)])
    }

    static func countDelivery(of places: [Place], in database: Database) throws {
        if places.isEmpty { return }
        try database.cachedStatement(
            sql: """
                UPDATE broker_messages SET deliveries = deliveries + 1
                WHERE place IN (SELECT value FROM json_each(?))
                """
        ).execute(arguments: [list(places)])
    }

    private static let columns =
        "SELECT place, deliveries, published_at, id, dead_actor, dead_reason, dead_at, body FROM broker_messages"

    static func messages(
        at places: [Place], in database: Database, while goesOn: (StoredMessage) -> Bool
    ) throws {
        if places.isEmpty { return }
        try read(
            "\(columns) WHERE place IN (SELECT value FROM json_each(?)) ORDER BY place", [list(places)], in: database,
            while: goesOn)
    }

    /// - Parameter last: the last place that is read.
    static func messages(
        of queue: QueueID, behind place: Place, upTo last: Place = .max, limit: Int, in database: Database,
        while goesOn: (StoredMessage) -> Bool
    ) throws {
        if limit < 1 { return }
        try read(
            "\(columns) WHERE queue = ? AND place > ? AND place <= ? ORDER BY place LIMIT ?",
            [queue, place, last, limit], in: database, while: goesOn)
    }

    /// - Returns: 0 for an empty queue.
    static func lastPlace(of queue: QueueID, in database: Database) throws -> Place {
        let sql = "SELECT max(place) FROM broker_messages WHERE queue = ?"
        return try Place.fetchOne(database, sql: sql, arguments: [queue]) ?? 0
    }

    private static func read(
        _ sql: String, _ arguments: StatementArguments, in database: Database, while goesOn: (StoredMessage) -> Bool
    ) throws {
        let rows = try Row.fetchCursor(database.cachedStatement(sql: sql), arguments: arguments)
        while let row = try rows.next() {
            let letter = (row[4] as String?).map { DeadLetter(actor: $0, reason: row[5] ?? "", time: row[6]) }
            let message = StoredMessage(
                place: row[0], id: row[3], body: try row.withUnsafeData(atIndex: 7) { $0.map(Array.init) ?? [] },
                deliveries: row[1], publishedAt: row[2], deadLetter: letter)
            guard goesOn(message) else { return }
        }
    }

    /// Brings what is due to its queue, in the order in which it is due.
    /// - Returns: how many came to which queue.
    static func moveDue(by now: Int64, limit: Int, in database: Database) throws -> [QueueID: Int] {
        var numbers: [Int64] = []
        var counts: [QueueID: Int] = [:]
        let due = try Row.fetchCursor(
            database.cachedStatement(
                sql: "SELECT number, queue FROM broker_delayed WHERE due <= ? ORDER BY due, number LIMIT ?"),
            arguments: [now, limit])
        while let row = try due.next() {
            numbers.append(row[0])
            counts[row[1], default: 0] += 1
        }
        if numbers.isEmpty { return [:] }
        try database.cachedStatement(
            sql: """
                INSERT INTO broker_messages (queue, published_at, id, body)
                SELECT queue, published_at, id, body FROM broker_delayed
                WHERE number IN (SELECT value FROM json_each(?)) ORDER BY due, number
                """
        ).execute(arguments: [list(numbers)])
        try database.cachedStatement(
            sql: "DELETE FROM broker_delayed WHERE number IN (SELECT value FROM json_each(?))"
        ).execute(arguments: [list(numbers)])
        return counts
    }

    /// As JSON, for `json_each`: one statement for any number.
    private static func list(_ numbers: [Int64]) -> String {
        "[\(numbers.map(String.init).joined(separator: ","))]"
    }
}
