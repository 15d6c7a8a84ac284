-- Revert troupe-gateway:envelopes from pg

BEGIN;

DROP TABLE envelopes;

COMMIT;
