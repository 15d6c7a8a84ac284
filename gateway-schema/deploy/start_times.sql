-- Deploy troupe-gateway:start_times to pg
-- requires: attempts

BEGIN;

-- An envelope that starts later waits in the outbox. Until somebody first takes it from there, its row is due at just this time.
ALTER TABLE envelopes ADD COLUMN not_before timestamptz;

UPDATE troupe_schema SET version = version + 1;

COMMIT;
