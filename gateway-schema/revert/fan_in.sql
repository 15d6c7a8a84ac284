-- Revert troupe-gateway:fan_in from pg

BEGIN;

DROP FUNCTION fan_in_arrive(text, bigint, bigint, text, text, json, bigint, boolean, bigint);
DROP TABLE fan_in_pieces;
DROP TABLE fan_in_groups;

COMMIT;
