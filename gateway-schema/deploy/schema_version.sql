-- Deploy troupe-gateway:schema_version to pg
-- requires: envelope_updates
-- requires: outbox

BEGIN;

-- One row: the version that a gateway asks for when it starts. A change that an older gateway cannot live with, or that a newer one
-- needs, ends with UPDATE troupe_schema SET version = version + 1, and SchemaVersion.required in Sources/Gateways with it.
CREATE TABLE troupe_schema (
    version  integer NOT NULL CHECK (version > 0),
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row)
);

INSERT INTO troupe_schema (version) VALUES (1);

COMMIT;
