-- Verify troupe-gateway:principals on pg

BEGIN;

SELECT principal FROM envelopes WHERE false;

ROLLBACK;
