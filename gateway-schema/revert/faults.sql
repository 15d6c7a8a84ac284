-- Revert troupe-gateway:faults from pg

BEGIN;

DROP TABLE faults;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
