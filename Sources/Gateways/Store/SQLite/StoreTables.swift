internal import GRDB

/// The tables of `gateway-schema`, in the words of SQLite. Times are microseconds since 1970. Payloads and results are bytes, as they
/// came; lists of texts are JSON.
enum StoreTables {
    /// What has been released never changes: a new version is a new step.
    static let steps: [@Sendable (Database) throws -> Void] = [
        { database in
            for statement in [envelopes, payloads, updates, outbox, keys, cancellations, actors] {
                try database.execute(sql: statement)
            }
        },
        { database in try database.execute(sql: faults) },
    ]

    private static let statuses = """
        ('pending', 'running', 'retrying', 'succeeded', 'failed', 'cancelled', 'unknown')
        """

    private static let envelopes = """
        CREATE TABLE envelopes (
            id                 TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
            -- The envelope that fanned this one out. No foreign key: a child's report may overtake its parent's.
            parent_id          TEXT,
            status             TEXT NOT NULL CHECK (status IN \(statuses)),
            route_actors       TEXT NOT NULL,
            route_current      INTEGER NOT NULL DEFAULT 0,
            tool               TEXT,
            principal          TEXT,
            error              TEXT,
            timeout_sec        REAL CHECK (timeout_sec > 0),
            deadline           INTEGER,
            not_before         INTEGER,
            created_at         INTEGER NOT NULL,
            updated_at         INTEGER NOT NULL,
            progress_percent   REAL NOT NULL DEFAULT 0 CHECK (progress_percent BETWEEN 0 AND 100),
            current_actor_idx  INTEGER NOT NULL DEFAULT 0,
            current_actor_name TEXT,
            message            TEXT NOT NULL DEFAULT '',
            actors_completed   INTEGER NOT NULL DEFAULT 0,
            total_actors       INTEGER NOT NULL DEFAULT 0,
            attempt            INTEGER,
            next_attempt_at    INTEGER,
            replays            INTEGER NOT NULL DEFAULT 0,
            loops              INTEGER NOT NULL DEFAULT 0,
            partial_count      INTEGER NOT NULL DEFAULT 0,
            -- Last: who reads no result passes it by.
            result             BLOB
        ) STRICT;

        CREATE INDEX envelopes_by_creation ON envelopes (created_at, id);
        CREATE INDEX envelopes_by_status ON envelopes (status, created_at, id);
        CREATE INDEX envelopes_by_parent ON envelopes (parent_id, created_at, id) WHERE parent_id IS NOT NULL;
        CREATE INDEX envelopes_by_tool ON envelopes (tool, created_at, id) WHERE tool IS NOT NULL;
        CREATE INDEX envelopes_by_deadline ON envelopes (deadline, id)
            WHERE deadline IS NOT NULL AND status NOT IN ('succeeded', 'failed', 'cancelled');
        """

    /// Apart: SQLite writes a row anew with each change, and each report changes the envelope's.
    private static let payloads = """
        CREATE TABLE payloads (
            envelope_id TEXT NOT NULL PRIMARY KEY REFERENCES envelopes (id) ON DELETE CASCADE,
            payload     BLOB NOT NULL
        ) STRICT;
        """

    private static let updates = """
        CREATE TABLE envelope_updates (
            -- The event id of the streams: none is given twice, also when rows have been deleted.
            id                INTEGER PRIMARY KEY AUTOINCREMENT,
            envelope_id       TEXT NOT NULL REFERENCES envelopes (id) ON DELETE CASCADE,
            status            TEXT NOT NULL CHECK (status IN \(statuses)),
            message           TEXT NOT NULL DEFAULT '',
            error             TEXT,
            progress_percent  REAL,
            actor             TEXT,
            actors            TEXT,
            current_actor_idx INTEGER,
            envelope_state    TEXT,
            attempt           INTEGER,
            next_attempt_at   INTEGER,
            -- Names a report: one that the broker delivers again is written once.
            event_id          TEXT,
            timestamp         INTEGER NOT NULL,
            reported_at       INTEGER,
            partial_type      TEXT CHECK (partial_type <> ''),
            partial_call      TEXT,
            -- Of updates on the way. The final result is kept once, in envelopes.
            result            BLOB,
            -- Of the first update: the message that was sent, up to its payload.
            sent_head         BLOB,
            -- Of an end that is no success: the message that the last actor got.
            failed_message    BLOB
        ) STRICT;

        CREATE INDEX envelope_updates_in_order ON envelope_updates (envelope_id, id);
        CREATE UNIQUE INDEX envelope_updates_once ON envelope_updates (envelope_id, event_id) WHERE event_id IS NOT NULL;
        """

    private static let outbox = """
        CREATE TABLE outbox (
            id          INTEGER PRIMARY KEY AUTOINCREMENT,
            envelope_id TEXT NOT NULL REFERENCES envelopes (id) ON DELETE CASCADE,
            actor       TEXT NOT NULL CHECK (actor <> ''),
            -- A retry brings its own message. Without, it is sent as it was submitted.
            head        BLOB,
            payload     BLOB,
            attempts    INTEGER NOT NULL DEFAULT 0,
            due_at      INTEGER NOT NULL,
            created_at  INTEGER NOT NULL
        ) STRICT;

        CREATE INDEX outbox_by_due_time ON outbox (due_at, id);
        CREATE INDEX outbox_by_envelope ON outbox (envelope_id);
        """

    private static let keys = """
        CREATE TABLE idempotency_keys (
            principal  TEXT NOT NULL,
            key        TEXT NOT NULL,
            digest     TEXT NOT NULL,
            answer     BLOB NOT NULL,
            created_at INTEGER NOT NULL,
            PRIMARY KEY (principal, key)
        ) STRICT;

        CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);
        """

    private static let cancellations = """
        CREATE TABLE cancellations (
            envelope_id  TEXT NOT NULL PRIMARY KEY REFERENCES envelopes (id) ON DELETE CASCADE,
            requested_at INTEGER NOT NULL,
            announced_at INTEGER
        ) STRICT;

        CREATE INDEX cancellations_by_time ON cancellations (requested_at);
        CREATE INDEX cancellations_to_announce ON cancellations (envelope_id) WHERE announced_at IS NULL;
        """

    private static let faults = """
        CREATE TABLE faults (
            id           TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
            -- Whose deliveries it may strike; * for everybody's.
            actor        TEXT NOT NULL CHECK (actor <> ''),
            owner        TEXT,
            -- JSON, as sidecars are told.
            fault        TEXT NOT NULL,
            injected_by  TEXT,
            injected_at  INTEGER NOT NULL,
            ends_at      INTEGER NOT NULL CHECK (ends_at >= injected_at),
            reset_at     INTEGER,
            reset_by     TEXT,
            announced_at INTEGER
        ) STRICT;

        CREATE INDEX faults_by_end ON faults (ends_at, id);
        """

    private static let actors = """
        CREATE TABLE actors (
            name               TEXT NOT NULL PRIMARY KEY CHECK (name <> ''),
            first_seen         INTEGER NOT NULL,
            last_seen          INTEGER NOT NULL,
            paused_at          INTEGER,
            paused_by          TEXT,
            pause_reason       TEXT,
            pause_decided_at   INTEGER,
            pause_announced_at INTEGER
        ) STRICT;
        """
}
