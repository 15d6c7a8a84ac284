internal import Envelopes
internal import PostgreSQL

extension PostgreSQLEnvelopeStore {
    func register(_ children: [FanOutChild]) async throws(StoreError) -> Int {
        var cancelledCount = 0
        for generation in generations(of: children) {
            cancelledCount += try await one(Self.registerSQL, registerParameters(generation)) { try $0.integer(0) }
        }
        return cancelledCount
    }

    /// Parts of the list such that no child stands in one part with its parent: that must be there before.
    private func generations(of children: [FanOutChild]) -> [[FanOutChild]] {
        var generations: [[FanOutChild]] = []
        var ids: Set<String> = []
        for child in children {
            if generations.isEmpty || ids.contains(child.parentID) {
                generations.append([])
                ids = []
            }
            generations[generations.count - 1].append(child)
            ids.insert(child.id)
        }
        return generations
    }

    func registerParameters(_ children: [FanOutChild]) -> [Parameter] {
        [
            .texts(children.map(\.id.withoutNUL)), .texts(children.map(\.parentID.withoutNUL)),
            .jsons(children.map { jsonList($0.actors) }), .integers(children.map(\.actorIndex)),
        ]
    }

    /// The lock on the parents makes a `cancel` of them wait until the children are there to be found.
    static let registerSQL = """
        WITH child AS (
            SELECT DISTINCT ON (id) id, parent_id, idx, ARRAY(SELECT json_array_elements_text(actors)) AS actors
            FROM unnest($1::text[], $2::text[], $3::json[], $4::bigint[]) AS c(id, parent_id, actors, idx)
            ORDER BY id
        ), parent AS MATERIALIZED (
            SELECT id, timeout_sec, deadline, status = 'cancelled' AS is_cancelled
            FROM envelopes WHERE id IN (SELECT parent_id FROM child) ORDER BY id FOR SHARE
        ), envelope AS (
            INSERT INTO envelopes (
                id, parent_id, status, progress_percent, message, route_actors, route_current, current_actor_idx,
                current_actor_name, total_actors, actors_completed, timeout_sec, deadline)
            SELECT c.id, c.parent_id, CASE WHEN p.is_cancelled THEN 'cancelled' ELSE 'pending' END,
                   CASE WHEN p.is_cancelled THEN 100 ELSE 0 END,
                   CASE WHEN p.is_cancelled THEN 'Cancelled with ' ELSE 'Created by fan-out of ' END || c.parent_id,
                   c.actors, c.idx, c.idx, c.actors[c.idx + 1], cardinality(c.actors), LEAST(c.idx, cardinality(c.actors)),
                   p.timeout_sec, p.deadline
            FROM child c LEFT JOIN parent p ON p.id = c.parent_id
            ORDER BY c.id
            ON CONFLICT (id) DO NOTHING
            RETURNING id, status, progress_percent, message, route_actors, current_actor_idx, current_actor_name
        ), logged AS (
            INSERT INTO envelope_updates (envelope_id, status, message, progress_percent, actor, actors, current_actor_idx)
            SELECT id, status, message, progress_percent, current_actor_name, route_actors, current_actor_idx FROM envelope
        ), noted AS (
            INSERT INTO cancellations (envelope_id) SELECT id FROM envelope WHERE status = 'cancelled' RETURNING envelope_id
        )
        SELECT count(*) FROM noted
        """

    /// An array of arrays must be rectangular in PostgreSQL: routes travel as JSON. `\u0000` has no place in `text`.
    func jsonList(_ texts: [String]) -> ArraySlice<UInt8> {
        var writer = JSONWriter()
        writer.append(strings: texts.map(\.withoutNUL))
        return writer.bytes[...]
    }
}
