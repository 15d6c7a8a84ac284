-- Verify troupe-gateway:schema_version on pg

BEGIN;

DO $$
BEGIN
    ASSERT (SELECT count(*) = 1 AND min(version) >= 1 FROM troupe_schema), 'the schema has no version';
    BEGIN
        INSERT INTO troupe_schema (version) VALUES (2);
        ASSERT false, 'a second version was accepted';
    EXCEPTION WHEN unique_violation THEN
    END;
END
$$;

ROLLBACK;
