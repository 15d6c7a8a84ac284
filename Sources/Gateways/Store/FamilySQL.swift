/// An envelope with all that has come out of it by fan-out, as a table `family` of a recursive query. A family may be a circle, since
/// reports say who is whose child: it is left after 100 generations.
enum FamilySQL {
    /// - Parameter id: where the statement finds the id.
    static func family(ofID id: String) -> String {
        family(of: "SELECT id, status, 0 FROM envelopes WHERE id = \(id)")
    }

    /// - Parameter root: a query for id, status and 0.
    static func family(of root: String) -> String {
        """
        family (id, status, depth) AS (
            \(root)
            UNION
            SELECT c.id, c.status, f.depth + 1 FROM family f JOIN envelopes c ON c.parent_id = f.id WHERE f.depth < 100
        )
        """
    }
}
