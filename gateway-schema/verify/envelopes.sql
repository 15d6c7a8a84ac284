-- Verify troupe-gateway:envelopes on pg

BEGIN;

SELECT id, parent_id, status, route_actors, route_current, payload, result, error, timeout_sec, deadline, created_at,
       updated_at, progress_percent, current_actor_idx, current_actor_name, message, actors_completed, total_actors
FROM envelopes WHERE false;

DO $$
DECLARE
    exact constant text := '{"b":12345678901234567890,"a":1e400,"a":"\u0000 \ud800"}';
    stored text;
BEGIN
    INSERT INTO envelopes (id, route_actors, payload, result)
    VALUES ('verify-envelopes', '{a,b}', exact::json, exact::json)
    RETURNING payload::text INTO stored;
    ASSERT stored = exact, 'payload changed to ' || stored;
    ASSERT (SELECT status = 'pending' AND progress_percent = 0 FROM envelopes WHERE id = 'verify-envelopes'), 'wrong defaults';

    BEGIN
        UPDATE envelopes SET status = 'lost' WHERE id = 'verify-envelopes';
        ASSERT false, 'an unknown status was accepted';
    EXCEPTION WHEN check_violation THEN
    END;
    BEGIN
        UPDATE envelopes SET progress_percent = 101 WHERE id = 'verify-envelopes';
        ASSERT false, 'a progress of 101 % was accepted';
    EXCEPTION WHEN check_violation THEN
    END;
    BEGIN
        INSERT INTO envelopes (id, route_actors) VALUES ('verify-envelopes', '{a}');
        ASSERT false, 'an id was accepted twice';
    EXCEPTION WHEN unique_violation THEN
    END;

    ASSERT (SELECT count(*) = 3 FROM pg_index WHERE indisvalid AND indexrelid IN (
        'envelopes_by_creation'::regclass, 'envelopes_by_status'::regclass, 'envelopes_by_parent'::regclass)), 'an index is missing';
END
$$;

ROLLBACK;
