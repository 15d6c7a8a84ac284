-- Verify troupe-gateway:report_times on pg

BEGIN;

SELECT reported_at FROM envelope_updates WHERE false;

ROLLBACK;
