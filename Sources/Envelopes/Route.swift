/// Where an envelope has been, is, and goes next.
public struct Route: Sendable, Hashable {
    /// Names of actors, in order; never empty in an envelope that was parsed.
    public var actors: [String]
    /// Index of the actor whose turn it is, from 0; `actors.count` means the route is done.
    public var current: Int
    /// Members that Troupe does not know (`metadata`, ...). They travel on.
    public var unknown: [RawJSON.Member]

    public init(actors: [String], current: Int = 0, unknown: [RawJSON.Member] = []) {
        self.actors = actors
        self.current = current
        self.unknown = unknown
    }

    /// The actor whose turn it is; `nil` when the route is done, or `current` is out of range.
    public var currentActor: String? { actors.indices.contains(current) ? actors[current] : nil }

    /// - Throws: `EnvelopeError` that names the member that is wrong.
    public init(_ json: RawJSON) throws(EnvelopeError) {
        guard json.kind == .object else {
            throw EnvelopeError(.invalidRoute, "Field 'route' must be an object, is \(json.kind)")
        }
        var actors: [String]?
        var current: Int?
        unknown = []
        for member in json.members {
            if member.isNamed("actors") {
                guard actors == nil else { throw .duplicate("route.actors") }
                actors = try Self.actors(member.value)
            } else if member.isNamed("current") {
                guard current == nil else { throw .duplicate("route.current") }
                guard let index = member.value.integer else {
                    throw EnvelopeError(
                        .invalidRoute, "Field 'route.current' must be an integer, is \(member.value.excerpt)")
                }
                current = index
            } else {
                unknown.append(member)
            }
        }
        guard let actors else { throw EnvelopeError(.invalidRoute, "Missing required field 'route.actors'") }
        self.actors = actors
        self.current = current ?? 0
    }

    private static func actors(_ json: RawJSON) throws(EnvelopeError) -> [String] {
        guard json.kind == .array else {
            throw EnvelopeError(.invalidRoute, "Field 'route.actors' must be a list, is \(json.kind)")
        }
        var actors: [String] = []
        for (index, element) in json.elements.enumerated() {
            guard let name = element.string, !name.isEmpty else {
                throw EnvelopeError(
                    .invalidRoute, "Field 'route.actors[\(index)]' must be a non-empty string, is \(element.excerpt)")
            }
            actors.append(name)
        }
        guard !actors.isEmpty else { throw EnvelopeError(.invalidRoute, "Field 'route.actors' cannot be empty") }
        return actors
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("actors")
        writer.append(strings: actors)
        writer.name("current")
        writer.append(current)
        for member in unknown { writer.append(member) }
        writer.endObject()
    }
}

extension RawJSON {
    /// A short piece for error messages: kind, and the value where it is small and no text of the user's.
    var excerpt: String {
        switch kind {
        case .number, .boolean, .null: bytes.count <= 24 ? description : kind.rawValue
        case .string where bytes.count == 2: "an empty string"
        case .string: string == nil ? "a string with half a surrogate pair" : kind.rawValue
        case .object, .array: kind.rawValue
        }
    }
}
