-- Revert troupe-gateway:start_times from pg

BEGIN;

ALTER TABLE envelopes DROP COLUMN not_before;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
