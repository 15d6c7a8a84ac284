-- Verify troupe-gateway:outbox on pg

BEGIN;

SELECT id, envelope_id, actor, head, attempts, due_at, created_at FROM outbox WHERE false;

DO $$
BEGIN
    INSERT INTO envelopes (id, route_actors, payload) VALUES ('verify-outbox', '{a}', '{"n": 1}');
    INSERT INTO outbox (envelope_id, actor, head, due_at) VALUES ('verify-outbox', 'a', '{"id":"verify-outbox","payload":', now());
    ASSERT (SELECT (o.head || e.payload::text || '}')::json ->> 'id' = 'verify-outbox'
            FROM outbox o JOIN envelopes e ON e.id = o.envelope_id WHERE e.id = 'verify-outbox'), 'the message cannot be put together';

    BEGIN
        INSERT INTO outbox (envelope_id, actor, head, due_at) VALUES ('verify-outbox', 'a', '{}', now());
        ASSERT false, 'a head that does not end before the payload was accepted';
    EXCEPTION WHEN check_violation THEN
    END;

    DELETE FROM envelopes WHERE id = 'verify-outbox';
    ASSERT NOT EXISTS (SELECT FROM outbox WHERE envelope_id = 'verify-outbox'), 'a message outlives its envelope';
    ASSERT (SELECT indisvalid FROM pg_index WHERE indexrelid = 'outbox_by_due_time'::regclass), 'the index is missing';
END
$$;

ROLLBACK;
