-- Revert troupe-gateway:attempts from pg

BEGIN;

ALTER TABLE envelopes DROP COLUMN attempt, DROP COLUMN next_attempt_at, DROP COLUMN replays, DROP COLUMN loops;
ALTER TABLE envelope_updates DROP COLUMN attempt, DROP COLUMN next_attempt_at;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
