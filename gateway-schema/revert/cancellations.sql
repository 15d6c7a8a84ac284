-- Revert troupe-gateway:cancellations from pg

BEGIN;

DROP TABLE cancellations;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
