-- Deploy troupe-gateway:actors to pg

BEGIN;

-- The actors that gateways have heard of: sidecars name themselves when they start, dead letters name whose they are.
CREATE TABLE actors (
    name       text PRIMARY KEY CHECK (name <> ''),
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen  timestamptz NOT NULL DEFAULT now()
);

COMMIT;
