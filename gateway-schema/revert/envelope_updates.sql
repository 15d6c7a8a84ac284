-- Revert troupe-gateway:envelope_updates from pg

BEGIN;

DROP TABLE envelope_updates;
DROP FUNCTION notify_of_envelope_updates();

COMMIT;
