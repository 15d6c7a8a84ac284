-- Deploy troupe-gateway:envelopes to pg

BEGIN;

-- Payloads are UTF-8; another encoding would refuse or change characters.
DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'this database is encoded in %, Troupe needs UTF8 (createdb --encoding=UTF8 --template=template0)',
            current_setting('server_encoding');
    END IF;
END
$$;

CREATE TABLE envelopes (
    id                 text PRIMARY KEY CHECK (id <> ''),
    -- The envelope that fanned this one out. No foreign key: a child's report may overtake its parent's.
    parent_id          text,
    status             text NOT NULL DEFAULT 'pending' CHECK (
        status IN ('pending', 'running', 'retrying', 'succeeded', 'failed', 'cancelled', 'unknown')),
    route_actors       text[] NOT NULL,
    route_current      integer NOT NULL DEFAULT 0,
    -- json keeps the text as it came: 12345678901234567890, 1e400, \u0000 and the order of keys survive. jsonb keeps none of them.
    payload            json,
    result             json,
    error              text,
    timeout_sec        double precision CHECK (timeout_sec > 0),
    deadline           timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    progress_percent   double precision NOT NULL DEFAULT 0 CHECK (progress_percent BETWEEN 0 AND 100),
    current_actor_idx  integer NOT NULL DEFAULT 0,
    current_actor_name text,
    message            text NOT NULL DEFAULT '',
    actors_completed   integer NOT NULL DEFAULT 0,
    total_actors       integer NOT NULL DEFAULT 0
    -- Room for progress to be written beside the old version of a row, without touching the indexes.
) WITH (fillfactor = 85);

CREATE INDEX envelopes_by_creation ON envelopes (created_at, id);
CREATE INDEX envelopes_by_status ON envelopes (status, created_at, id);
CREATE INDEX envelopes_by_parent ON envelopes (parent_id, created_at, id) WHERE parent_id IS NOT NULL;

COMMIT;
