internal import Envelopes
internal import PostgreSQL

/// An envelope that a fan-out has made: an actor has sent it on already, here it only becomes known.
struct FanOutChild: Sendable, Hashable {
    var id: String
    var parentID: String
    var actors: [String]
    var actorIndex: Int

    init(id: String, parentID: String, actors: [String], actorIndex: Int) {
        self.id = id
        self.parentID = parentID
        self.actors = actors
        self.actorIndex = min(max(actorIndex, 0), 1_000_000)
    }

    /// `nil` for a report without a parent.
    init?(_ report: StatusReport) {
        guard let parentID = report.parentID else { return nil }
        self.init(
            id: report.envelopeID, parentID: parentID, actors: report.actors, actorIndex: report.currentActorIndex)
    }
}

extension EnvelopeStore {
    /// Makes children known; those that are known already stay as they are. A child has its parent's deadline.
    func register(_ children: [FanOutChild]) async throws(PostgreSQLError) {
        guard !children.isEmpty else { return }
        _ = try await query(
            """
            WITH child AS (
                SELECT DISTINCT ON (id) id, parent_id, idx, ARRAY(SELECT json_array_elements_text(actors)) AS actors
                FROM unnest($1::text[], $2::text[], $3::json[], $4::bigint[]) AS c(id, parent_id, actors, idx)
                ORDER BY id
            ), envelope AS (
                INSERT INTO envelopes (
                    id, parent_id, route_actors, route_current, current_actor_idx, current_actor_name, total_actors,
                    actors_completed, timeout_sec, deadline, message)
                SELECT c.id, c.parent_id, c.actors, c.idx, c.idx, c.actors[c.idx + 1], cardinality(c.actors),
                       LEAST(c.idx, cardinality(c.actors)), p.timeout_sec, p.deadline, 'Created by fan-out of ' || c.parent_id
                FROM child c LEFT JOIN envelopes p ON p.id = c.parent_id
                ORDER BY c.id
                ON CONFLICT (id) DO NOTHING
                RETURNING id, message, route_actors, current_actor_idx, current_actor_name
            )
            INSERT INTO envelope_updates (envelope_id, status, message, progress_percent, actor, actors, current_actor_idx)
            SELECT id, 'pending', message, 0, current_actor_name, route_actors, current_actor_idx FROM envelope
            """,
            [
                .texts(children.map(\.id.withoutNUL)), .texts(children.map(\.parentID.withoutNUL)),
                .jsons(children.map { jsonList($0.actors) }), .integers(children.map(\.actorIndex)),
            ])
    }

    /// An array of arrays must be rectangular in PostgreSQL: routes travel as JSON. `\u0000` has no place in `text`.
    func jsonList(_ texts: [String]) -> ArraySlice<UInt8> {
        var writer = JSONWriter()
        writer.beginArray()
        for text in texts { writer.append(string: text.withoutNUL) }
        writer.endArray()
        return writer.bytes[...]
    }
}
