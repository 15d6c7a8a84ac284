-- Verify troupe-gateway:attempts on pg

BEGIN;

SELECT attempt, next_attempt_at, replays, loops FROM envelopes WHERE false;
SELECT attempt, next_attempt_at FROM envelope_updates WHERE false;

DO $$
BEGIN
    ASSERT (SELECT version >= 2 FROM troupe_schema), 'the schema has an older version';
END
$$;

ROLLBACK;
