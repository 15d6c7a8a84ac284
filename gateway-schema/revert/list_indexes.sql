-- Revert troupe-gateway:list_indexes from pg

BEGIN;

DROP INDEX envelopes_by_tool;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
