/// What a statement asks for, and the values in it. The same filters hold for every database; only the values' form differs.
struct Conditions<Value: ConditionValue> {
    private var texts: [String] = []
    private(set) var values: [Value] = []

    /// Gives a value a place in the statement.
    /// - Returns: what stands for it there.
    mutating func place(_ value: Value) -> String {
        values.append(value)
        return "\(Value.mark)\(values.count)"
    }

    mutating func add(_ text: String) { texts.append(text) }

    /// Nothing where there is no value to compare with.
    private mutating func add(_ comparison: String, _ value: Value?) {
        guard let value else { return }
        texts.append("\(comparison) \(place(value))")
    }

    /// Empty where there are no conditions.
    var clause: String { texts.isEmpty ? "" : "WHERE \(texts.joined(separator: " AND "))" }
}

protocol ConditionValue {
    /// Before a value's number.
    static var mark: Character { get }
    static func text(_ value: String?) -> Self
    static func integer(_ value: Int?) -> Self
    static func time(microseconds value: Int64?) -> Self
}

extension Conditions {
    /// Of the columns of `envelopes`.
    mutating func add(_ filter: EnvelopeFilter, after place: EnvelopePlace?) {
        add("status =", filter.status.map { .text($0.rawValue) })
        add("current_actor_name =", filter.actor.map { .text($0.withoutNUL) })
        add("tool =", filter.tool.map { .text($0.withoutNUL) })
        add("parent_id =", filter.parentID.map { .text($0.withoutNUL) })
        add("created_at >=", filter.since.map { .time(microseconds: $0) })
        add("created_at <", filter.before.map { .time(microseconds: $0) })
        guard let place else { return }
        let time = self.place(.time(microseconds: place.createdAt))
        let id = self.place(.text(place.id.withoutNUL))
        add("(created_at, id) \(filter.isAscending ? ">" : "<") (\(time), \(id))")
    }

    /// Of updates `u` and their envelopes `e`; not of the family.
    mutating func add(_ filter: UpdateFilter, after last: Int64, upTo end: Int64) {
        add("u.id >", .integer(Int(last)))
        add("u.id <=", .integer(Int(end)))
        add("u.status =", filter.status.map { .text($0.rawValue) })
        add("u.actor =", filter.actor.map { .text($0.withoutNUL) })
        add("e.tool =", filter.tool.map { .text($0.withoutNUL) })
        add("e.parent_id =", filter.parentID.map { .text($0.withoutNUL) })
        if !filter.hasPartials { add("u.partial_type IS NULL") }
    }
}

extension EnvelopeFilter {
    var order: String { isAscending ? "created_at, id" : "created_at DESC, id DESC" }
}
