-- Revert troupe-gateway:pauses from pg

BEGIN;

ALTER TABLE actors
    DROP COLUMN paused_at, DROP COLUMN paused_by, DROP COLUMN pause_reason, DROP COLUMN pause_decided_at,
    DROP COLUMN pause_announced_at;
UPDATE troupe_schema SET version = version - 1;

COMMIT;
