-- Revert troupe-gateway:actors from pg

BEGIN;

DROP TABLE actors;

COMMIT;
