-- Deploy troupe-gateway:cancellations to pg
-- requires: start_times

BEGIN;

-- Cancelled envelopes whose messages may still be on their way: what sidecars are to be told. A row goes when its message has ended.
CREATE TABLE cancellations (
    envelope_id  text PRIMARY KEY REFERENCES envelopes (id) ON DELETE CASCADE,
    requested_at timestamptz NOT NULL DEFAULT now(),
    -- Null while sidecars are yet to be told, or told again.
    announced_at timestamptz
);

CREATE INDEX cancellations_by_time ON cancellations (requested_at);
CREATE INDEX cancellations_to_announce ON cancellations (envelope_id) WHERE announced_at IS NULL;

UPDATE troupe_schema SET version = version + 1;

COMMIT;
