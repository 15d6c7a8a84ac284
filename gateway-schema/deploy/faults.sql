-- Deploy troupe-gateway:faults to pg
-- requires: schema_version

BEGIN;

-- Faults that were injected on purpose. A row never changes, but for its early end and what sidecars were told.
CREATE TABLE faults (
    id           text PRIMARY KEY CHECK (id <> ''),
    -- Whose deliveries it may strike; * for everybody's.
    actor        text NOT NULL CHECK (actor <> ''),
    owner        text,
    -- JSON, as sidecars are told.
    fault        text NOT NULL,
    injected_by  text,
    injected_at  timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL CHECK (ends_at >= injected_at),
    -- Null where nobody has ended it before its time.
    reset_at     timestamptz,
    reset_by     text,
    -- Null while sidecars are yet to be told.
    announced_at timestamptz
);

CREATE INDEX faults_by_end ON faults (ends_at, id);

UPDATE troupe_schema SET version = version + 1;

COMMIT;
