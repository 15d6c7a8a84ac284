-- Verify troupe-gateway:pauses on pg

BEGIN;

SELECT paused_at, paused_by, pause_reason, pause_decided_at, pause_announced_at FROM actors WHERE false;

ROLLBACK;
