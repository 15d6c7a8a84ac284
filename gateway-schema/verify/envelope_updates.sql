-- Verify troupe-gateway:envelope_updates on pg

BEGIN;

SELECT id, envelope_id, status, message, result, error, progress_percent, actor, actors, current_actor_idx, envelope_state,
       event_id, timestamp
FROM envelope_updates WHERE false;

DO $$
DECLARE
    first bigint;
    second bigint;
BEGIN
    INSERT INTO envelopes (id, route_actors) VALUES ('verify-envelope_updates', '{a}');
    INSERT INTO envelope_updates (envelope_id, status, event_id) VALUES ('verify-envelope_updates', 'running', 'e1')
    RETURNING id INTO first;
    INSERT INTO envelope_updates (envelope_id, status) VALUES ('verify-envelope_updates', 'running') RETURNING id INTO second;
    ASSERT second > first, 'ids do not grow';

    BEGIN
        INSERT INTO envelope_updates (envelope_id, status, event_id) VALUES ('verify-envelope_updates', 'running', 'e1');
        ASSERT false, 'a report was written twice';
    EXCEPTION WHEN unique_violation THEN
    END;
    BEGIN
        INSERT INTO envelope_updates (envelope_id, status) VALUES ('verify-nobody', 'running');
        SET CONSTRAINTS ALL IMMEDIATE;
        ASSERT false, 'an update of no envelope was accepted';
    EXCEPTION WHEN foreign_key_violation THEN
    END;

    DELETE FROM envelopes WHERE id = 'verify-envelope_updates';
    ASSERT NOT EXISTS (SELECT FROM envelope_updates WHERE envelope_id = 'verify-envelope_updates'), 'updates outlive their envelope';

    ASSERT (SELECT seqcache = 1 FROM pg_sequence WHERE seqrelid = pg_get_serial_sequence('envelope_updates', 'id')::regclass),
        'the sequence caches numbers';
    ASSERT (SELECT tgenabled = 'O' FROM pg_trigger WHERE tgname = 'envelope_updates_notify' AND tgrelid = 'envelope_updates'::regclass),
        'the notification trigger is not active';
    ASSERT (SELECT indisvalid FROM pg_index WHERE indexrelid = 'envelope_updates_in_order'::regclass), 'the index is missing';
END
$$;

ROLLBACK;
