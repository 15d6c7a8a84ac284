-- Verify troupe-gateway:fan_in on pg

BEGIN;

SELECT id, piece_count, is_indexed, releases_partial, deadline, arrived, bytes, is_too_large, outcome, attempt, decided_at,
       created_at
FROM fan_in_groups WHERE false;

DO $$
DECLARE
    exact constant text := '{"b":12345678901234567890,"a":1e400,"a":"\u0000 \ud800"}';
    answer record;
BEGIN
    SELECT * INTO answer FROM fan_in_arrive('verify-fan_in', 2, 0, 'e', '1', exact::json, 60000, false, 1000);
    ASSERT answer.piece_place = 0 AND answer.group_arrived = 1 AND answer.group_outcome IS NULL, 'the first piece: ' || answer;
    ASSERT answer.left_ms BETWEEN 50000 AND 60000, 'the deadline: ' || answer;
    SELECT * INTO answer FROM fan_in_arrive('verify-fan_in', 2, 1, 'e-1', '1', '1', 60000, false, 1000);
    SELECT * INTO answer FROM fan_in_arrive('verify-fan_in', 2, 1, 'e-1', '1', '1', 60000, false, 1000);
    ASSERT answer.piece_place = 1 AND answer.group_arrived = 2, 'a piece that came twice: ' || answer;
    SELECT * INTO answer FROM fan_in_arrive('verify-fan_in', 2, 0, 'e', '1', exact::json, 60000, false, 1000);
    ASSERT answer.group_outcome = 'released', 'a complete group: ' || answer;
    ASSERT (SELECT payload::text = exact FROM fan_in_pieces WHERE group_id = 'verify-fan_in' AND place = 0), 'a payload changed';

    DELETE FROM fan_in_groups WHERE id = 'verify-fan_in';
    ASSERT NOT EXISTS (SELECT FROM fan_in_pieces WHERE group_id = 'verify-fan_in'), 'pieces outlive their group';
    ASSERT (SELECT count(*) = 2 FROM pg_index WHERE indisvalid AND indexrelid IN (
        'fan_in_groups_decided'::regclass, 'fan_in_groups_waiting'::regclass)), 'an index is missing';
END
$$;

ROLLBACK;
