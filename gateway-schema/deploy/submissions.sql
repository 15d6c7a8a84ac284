-- Deploy troupe-gateway:submissions to pg
-- requires: deadlines

BEGIN;

-- The tool by which it was submitted.
ALTER TABLE envelopes ADD COLUMN tool text;

ALTER TABLE envelope_updates
    -- Of the first update: the message that was sent, up to its payload, so that it can be sent again from the start.
    ADD COLUMN sent_head      text CHECK (sent_head LIKE '{%"payload":'),
    -- Of an end that is no success: the message that the last actor got, so that it can be sent there again.
    ADD COLUMN failed_message json;

-- What the outbox has no head for is sent as it was submitted: sent_head || envelopes.payload || '}'. A retry brings its own.
ALTER TABLE outbox
    ALTER COLUMN head DROP NOT NULL,
    ADD COLUMN payload json;

-- Requests that were answered, for clients that do not know whether they were and ask again.
CREATE TABLE idempotency_keys (
    -- Whose key it is; '' where nobody is asked.
    principal   text NOT NULL,
    key         text NOT NULL,
    -- SHA-256 of the request, in hexadecimal: a key is good for one request.
    digest      text NOT NULL,
    -- The body of the answer.
    answer      json NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal, key)
);

CREATE INDEX idempotency_keys_by_time ON idempotency_keys USING brin (created_at);

UPDATE troupe_schema SET version = version + 1;

COMMIT;
