-- Revert troupe-gateway:report_times from pg

BEGIN;

ALTER TABLE envelope_updates DROP COLUMN reported_at;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
