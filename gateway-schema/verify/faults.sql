-- Verify troupe-gateway:faults on pg

BEGIN;

SELECT id, actor, owner, fault, injected_by, injected_at, ends_at, reset_at, reset_by, announced_at FROM faults WHERE false;

ROLLBACK;
