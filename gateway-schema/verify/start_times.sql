-- Verify troupe-gateway:start_times on pg

BEGIN;

SELECT not_before FROM envelopes WHERE false;

ROLLBACK;
