-- Deploy troupe-gateway:principals to pg
-- requires: pauses

BEGIN;

-- Who has submitted it: a task is its caller's. Null where nobody was asked.
ALTER TABLE envelopes ADD COLUMN principal text;

UPDATE troupe_schema SET version = version + 1;

COMMIT;
