-- Revert troupe-gateway:schema_version from pg

BEGIN;

DROP TABLE troupe_schema;

COMMIT;
