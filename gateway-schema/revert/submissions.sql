-- Revert troupe-gateway:submissions from pg

BEGIN;

DROP TABLE idempotency_keys;
-- The old form knows one payload for each envelope: retries that wait would be sent with the wrong one.
DO $$
BEGIN
    ASSERT NOT EXISTS (SELECT FROM outbox WHERE payload IS NOT NULL), 'retries wait in the outbox: let a gateway send them first';
END
$$;
UPDATE outbox o SET head = (SELECT sent_head FROM envelope_updates u WHERE u.envelope_id = o.envelope_id ORDER BY id LIMIT 1)
WHERE head IS NULL;
ALTER TABLE outbox DROP COLUMN payload, ALTER COLUMN head SET NOT NULL;
ALTER TABLE envelope_updates DROP COLUMN sent_head, DROP COLUMN failed_message;
ALTER TABLE envelopes DROP COLUMN tool;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
