-- Deploy troupe-gateway:deadlines to pg
-- requires: cancellations

BEGIN;

-- For the look, every second, for envelopes that nobody has ended in time: it holds only those that can still be late.
CREATE INDEX envelopes_by_deadline ON envelopes (deadline)
    WHERE deadline IS NOT NULL AND status NOT IN ('succeeded', 'failed', 'cancelled');

UPDATE troupe_schema SET version = version + 1;

COMMIT;
