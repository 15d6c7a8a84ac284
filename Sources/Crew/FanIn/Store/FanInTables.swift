internal import GRDB

/// The tables of `gateway-schema/deploy/fan_in.sql`, in the words of SQLite. Times are microseconds since 1970.
enum FanInTables {
    /// What has been released never changes: a new version is a new step.
    static let steps: [@Sendable (Database) throws -> Void] = [
        { database in
            try database.execute(
                sql: """
                    CREATE TABLE fan_in_groups (
                        id               TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
                        piece_count      INTEGER NOT NULL CHECK (piece_count BETWEEN 1 AND 10000),
                        is_indexed       INTEGER NOT NULL,
                        releases_partial INTEGER NOT NULL,
                        deadline         INTEGER NOT NULL,
                        created_at       INTEGER NOT NULL,
                        arrived          INTEGER NOT NULL CHECK (arrived BETWEEN 0 AND piece_count),
                        bytes            INTEGER NOT NULL,
                        is_too_large     INTEGER NOT NULL,
                        outcome          TEXT CHECK (outcome IN ('released', 'failed')),
                        attempt          TEXT,
                        decided_at       INTEGER
                    ) STRICT;

                    CREATE INDEX fan_in_groups_decided ON fan_in_groups (decided_at) WHERE decided_at IS NOT NULL;
                    CREATE INDEX fan_in_groups_waiting ON fan_in_groups (created_at) WHERE decided_at IS NULL;

                    CREATE TABLE fan_in_pieces (
                        group_id    TEXT NOT NULL REFERENCES fan_in_groups (id) ON DELETE CASCADE,
                        name        TEXT NOT NULL,
                        place       INTEGER NOT NULL CHECK (place >= 0),
                        envelope_id TEXT NOT NULL,
                        payload     BLOB NOT NULL,
                        PRIMARY KEY (group_id, name)
                    ) STRICT;
                    """)
        }
    ]
}
