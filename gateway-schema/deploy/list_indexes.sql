-- Deploy troupe-gateway:list_indexes to pg
-- requires: principals

BEGIN;

-- For lists by tool. A tool never changes, so progress is still written without touching the indexes.
CREATE INDEX envelopes_by_tool ON envelopes (tool, created_at, id) WHERE tool IS NOT NULL;

UPDATE troupe_schema SET version = version + 1;

COMMIT;
