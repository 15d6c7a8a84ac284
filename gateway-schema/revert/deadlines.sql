-- Revert troupe-gateway:deadlines from pg

BEGIN;

DROP INDEX envelopes_by_deadline;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
