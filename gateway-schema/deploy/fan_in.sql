-- Deploy troupe-gateway:fan_in to pg

BEGIN;

-- What the crew actor fan-in waits for. No gateway reads it; it stands on its own.
CREATE TABLE fan_in_groups (
    -- {actor}/fan-out/{envelope}/{round} or {actor}/key/{key}
    id               text PRIMARY KEY CHECK (id <> ''),
    piece_count      integer NOT NULL CHECK (piece_count BETWEEN 1 AND 10000),
    -- Whether pieces bring their places. Otherwise they are numbered as they come.
    is_indexed       boolean NOT NULL,
    -- What happens at the deadline: the list is released with gaps, or the group fails.
    releases_partial boolean NOT NULL,
    deadline         timestamptz NOT NULL,
    arrived          integer NOT NULL DEFAULT 0 CHECK (arrived BETWEEN 0 AND piece_count),
    bytes            bigint NOT NULL DEFAULT 0,
    -- A piece was refused because of the limit.
    is_too_large     boolean NOT NULL DEFAULT false,
    -- What piece 0, which carries the list, was told last: in which of its attempts, and when.
    outcome          text CHECK (outcome IN ('released', 'failed')),
    attempt          text,
    decided_at       timestamptz,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((outcome IS NULL) = (attempt IS NULL) AND (outcome IS NULL) = (decided_at IS NULL))
    -- Room for the counts to be written beside the old version of a row, without touching the indexes.
) WITH (fillfactor = 70);

-- What goes first.
CREATE INDEX fan_in_groups_decided ON fan_in_groups (decided_at) WHERE decided_at IS NOT NULL;
CREATE INDEX fan_in_groups_waiting ON fan_in_groups (created_at) WHERE decided_at IS NULL;

CREATE TABLE fan_in_pieces (
    group_id    text NOT NULL REFERENCES fan_in_groups (id) ON DELETE CASCADE,
    -- What a piece is recognised by when it comes again: its place, or its envelope where it has none of its own.
    name        text NOT NULL,
    place       integer NOT NULL CHECK (place >= 0),
    envelope_id text NOT NULL,
    -- json, as everywhere: jsonb changes what it stores.
    payload     json NOT NULL,
    PRIMARY KEY (group_id, name)
);

-- A piece arrives, or comes again. All that must not be seen half is done here, under the lock of the group's row: two replicas can
-- neither count a piece twice nor disagree about what was released, and no client that is frozen or killed in the middle can
-- keep a group locked.
--
-- what is given: the piece, and what its group is like when this is the first of it. the_index is null for a piece without a place.
-- what comes back: the group, with the piece's place (null when it was not taken) and whose piece is there. outcome is null while the
-- group waits; for piece 0 it is decided here.
CREATE FUNCTION fan_in_arrive(
    the_group text, the_count bigint, the_index bigint, the_envelope text, the_attempt text, the_payload json,
    timeout_ms bigint, takes_partial boolean, byte_limit bigint,
    OUT group_count integer, OUT group_is_indexed boolean, OUT group_arrived integer, OUT group_is_too_large boolean,
    OUT group_outcome text, OUT waited_ms double precision, OUT left_ms double precision,
    OUT piece_place integer, OUT piece_owner text
) LANGUAGE plpgsql AS $$
DECLARE
    before fan_in_groups;
    g fan_in_groups;
    piece_name constant text := COALESCE(the_index::text, the_envelope);
    -- With the comma behind it.
    piece_bytes constant bigint := octet_length(the_payload::text) + 1;
BEGIN
    LOOP
        SELECT * INTO g FROM fan_in_groups WHERE id = the_group FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO fan_in_groups (id, piece_count, is_indexed, releases_partial, deadline)
        VALUES (the_group, the_count, the_index IS NOT NULL, takes_partial,
                clock_timestamp() + timeout_ms * interval '1 millisecond')
        ON CONFLICT (id) DO NOTHING;
    END LOOP;
    before := g;

    IF g.piece_count = the_count AND g.is_indexed = (the_index IS NOT NULL) THEN
        SELECT place, envelope_id INTO piece_place, piece_owner
        FROM fan_in_pieces WHERE group_id = g.id AND name = piece_name;

        IF NOT FOUND AND g.arrived < g.piece_count AND g.outcome IS DISTINCT FROM 'released' THEN
            IF g.bytes + piece_bytes > byte_limit THEN
                g.is_too_large := true;
            ELSE
                piece_place := COALESCE(the_index, g.arrived);
                piece_owner := the_envelope;
                INSERT INTO fan_in_pieces (group_id, name, place, envelope_id, payload)
                VALUES (g.id, piece_name, piece_place, piece_owner, the_payload);
                g.arrived := g.arrived + 1;
                g.bytes := g.bytes + piece_bytes;
            END IF;
        END IF;

        -- What was released stays so. A failure stands for the attempt that it was told to: a redelivery hears the same again, a
        -- later attempt may find what was missing.
        IF piece_place = 0 AND piece_owner = the_envelope AND g.outcome IS DISTINCT FROM 'released'
            AND g.attempt IS DISTINCT FROM the_attempt
        THEN
            g.outcome := CASE
                WHEN g.arrived = g.piece_count THEN 'released'
                WHEN g.is_too_large THEN 'failed'
                WHEN g.deadline > clock_timestamp() THEN NULL
                WHEN g.releases_partial THEN 'released'
                ELSE 'failed' END;
            g.attempt := CASE WHEN g.outcome IS NOT NULL THEN the_attempt END;
            g.decided_at := CASE WHEN g.outcome IS NOT NULL THEN clock_timestamp() END;
        END IF;

        IF g IS DISTINCT FROM before THEN
            UPDATE fan_in_groups
            SET arrived = g.arrived, bytes = g.bytes, is_too_large = g.is_too_large, outcome = g.outcome, attempt = g.attempt,
                decided_at = g.decided_at
            WHERE id = g.id;
        END IF;
    END IF;

    group_count := g.piece_count;
    group_is_indexed := g.is_indexed;
    group_arrived := g.arrived;
    group_is_too_large := g.is_too_large;
    group_outcome := g.outcome;
    waited_ms := extract(epoch FROM clock_timestamp() - g.created_at) * 1000;
    left_ms := extract(epoch FROM g.deadline - clock_timestamp()) * 1000;
END
$$;

COMMIT;
