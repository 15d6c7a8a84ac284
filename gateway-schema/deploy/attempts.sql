-- Deploy troupe-gateway:attempts to pg
-- requires: schema_version

BEGIN;

ALTER TABLE envelopes
    -- At the current actor, from 1.
    ADD COLUMN attempt         integer,
    -- While it waits for that attempt.
    ADD COLUMN next_attempt_at timestamptz,
    -- How often it has been sent on its way again after it had ended, and how often its route has led back: with the index of the
    -- actor they tell a newer report from an older one.
    ADD COLUMN replays         bigint NOT NULL DEFAULT 0,
    ADD COLUMN loops           bigint NOT NULL DEFAULT 0;

ALTER TABLE envelope_updates
    ADD COLUMN attempt         integer,
    ADD COLUMN next_attempt_at timestamptz;

UPDATE troupe_schema SET version = version + 1;

COMMIT;
