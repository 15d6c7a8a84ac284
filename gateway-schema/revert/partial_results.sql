-- Revert troupe-gateway:partial_results from pg

BEGIN;

-- An older gateway would take them for updates.
DELETE FROM envelope_updates WHERE partial_type IS NOT NULL;
ALTER TABLE envelope_updates DROP COLUMN partial_type, DROP COLUMN partial_call;
ALTER TABLE envelopes DROP COLUMN partial_count;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
