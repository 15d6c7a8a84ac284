-- Revert troupe-gateway:outbox from pg

BEGIN;

DROP TABLE outbox;

COMMIT;
