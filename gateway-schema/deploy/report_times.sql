-- Deploy troupe-gateway:report_times to pg
-- requires: submissions

BEGIN;

-- When the reporter says that it happened: a gateway that was away writes long after that.
ALTER TABLE envelope_updates ADD COLUMN reported_at timestamptz;

UPDATE troupe_schema SET version = version + 1;

COMMIT;
