-- Deploy troupe-gateway:partial_results to pg
-- requires: report_times

BEGIN;

-- What a handler tells while it works stands in the history, in its order: such a row has a type, and what was told as its result.
ALTER TABLE envelope_updates
    ADD COLUMN partial_type text CHECK (partial_type <> ''),
    -- Names the handler's call: one that is made again begins anew.
    ADD COLUMN partial_call text;

-- How many such rows an envelope has: there is a limit.
ALTER TABLE envelopes ADD COLUMN partial_count integer NOT NULL DEFAULT 0;

UPDATE troupe_schema SET version = version + 1;

COMMIT;
