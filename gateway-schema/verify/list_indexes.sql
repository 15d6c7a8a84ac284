-- Verify troupe-gateway:list_indexes on pg

BEGIN;

DO $$
BEGIN
    ASSERT (SELECT indisvalid FROM pg_index WHERE indexrelid = 'envelopes_by_tool'::regclass), 'the index is missing';
END
$$;

ROLLBACK;
