-- Verify troupe-gateway:submissions on pg

BEGIN;

SELECT tool FROM envelopes WHERE false;
SELECT sent_head, failed_message FROM envelope_updates WHERE false;
SELECT payload FROM outbox WHERE false;
SELECT principal, key, digest, answer, created_at FROM idempotency_keys WHERE false;

ROLLBACK;
