-- Revert troupe-gateway:principals from pg

BEGIN;

ALTER TABLE envelopes DROP COLUMN principal;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
