-- Deploy troupe-gateway:pauses to pg
-- requires: actors
-- requires: partial_results

BEGIN;

ALTER TABLE actors
    -- Null while it takes deliveries.
    ADD COLUMN paused_at          timestamptz,
    ADD COLUMN paused_by          text,
    ADD COLUMN pause_reason       text,
    -- When somebody has last paused or resumed it: of two things that sidecars hear the later holds. Null: nobody ever has.
    ADD COLUMN pause_decided_at   timestamptz,
    -- Null while sidecars are yet to be told.
    ADD COLUMN pause_announced_at timestamptz;

UPDATE troupe_schema SET version = version + 1;

COMMIT;
