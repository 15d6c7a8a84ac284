-- Verify troupe-gateway:cancellations on pg

BEGIN;

SELECT envelope_id, requested_at, announced_at FROM cancellations WHERE false;

DO $$
BEGIN
    INSERT INTO envelopes (id, route_actors) VALUES ('verify-cancellations', '{a}');
    INSERT INTO cancellations (envelope_id) VALUES ('verify-cancellations');
    DELETE FROM envelopes WHERE id = 'verify-cancellations';
    ASSERT NOT EXISTS (SELECT FROM cancellations WHERE envelope_id = 'verify-cancellations'), 'a cancellation outlives its envelope';
    ASSERT (SELECT count(*) = 2 FROM pg_index WHERE indisvalid AND indexrelid IN (
        'cancellations_by_time'::regclass, 'cancellations_to_announce'::regclass)), 'an index is missing';
END
$$;

ROLLBACK;
