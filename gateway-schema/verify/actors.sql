-- Verify troupe-gateway:actors on pg

BEGIN;

SELECT name, first_seen, last_seen FROM actors WHERE false;

ROLLBACK;
