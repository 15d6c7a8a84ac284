-- Verify troupe-gateway:deadlines on pg

BEGIN;

DO $$
BEGIN
    ASSERT (SELECT indisvalid FROM pg_index WHERE indexrelid = 'envelopes_by_deadline'::regclass), 'the index is missing';
END
$$;

ROLLBACK;
