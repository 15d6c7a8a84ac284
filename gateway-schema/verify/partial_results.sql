-- Verify troupe-gateway:partial_results on pg

BEGIN;

SELECT partial_count FROM envelopes WHERE false;
SELECT partial_type, partial_call FROM envelope_updates WHERE false;

DO $$
BEGIN
    INSERT INTO envelopes (id, route_actors) VALUES ('verify', '{a}');
    INSERT INTO envelope_updates (envelope_id, status, partial_type, result) VALUES ('verify', 'running', 'token', '"a"');
    ASSERT (SELECT partial_count = 0 FROM envelopes WHERE id = 'verify'), 'an envelope begins with partial results';
    BEGIN
        INSERT INTO envelope_updates (envelope_id, status, partial_type) VALUES ('verify', 'running', '');
        ASSERT false, 'a partial result without a type was accepted';
    EXCEPTION WHEN check_violation THEN
    END;
END
$$;

ROLLBACK;
