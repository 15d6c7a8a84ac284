/// An envelope that is taken apart, but neither decoded nor believed: what came in a frame, or from a handler.
struct LooseEnvelope: Sendable {
    /// The whole envelope; a JSON object.
    let json: RawJSON
    let idMember: RawJSON?
    let parentIDMember: RawJSON?
    let route: RawJSON?
    let headers: RawJSON?
    let payload: RawJSON?
    /// Top-level members that are none of these.
    let unknown: [RawJSON.Member]

    /// - Throws: for anything but an object.
    init(_ json: RawJSON) throws(EnvelopeProblem) {
        guard json.kind == .object else {
            throw EnvelopeProblem("an envelope must be a JSON object, not \(json.kind.withArticle)")
        }
        self.json = json
        var known: [String: RawJSON] = [:]
        var unknown: [RawJSON.Member] = []
        for member in json.members {
            if let name = ["id", "parent_id", "route", "headers", "payload"].first(where: member.isNamed) {
                known[name] = member.value
            } else {
                unknown.append(member)
            }
        }
        (idMember, parentIDMember) = (known["id"], known["parent_id"])
        (route, headers, payload) = (known["route"], known["headers"], known["payload"])
        self.unknown = unknown
    }

    init(frame: [UInt8], limits: JSONLimits) throws(EnvelopeProblem) {
        guard !frame.isEmpty else { throw EnvelopeProblem("the frame is empty") }
        let json: RawJSON
        do { json = try RawJSON(frame, limits: limits) } catch { throw EnvelopeProblem(error) }
        try self.init(json)
    }

    var id: String? { idMember?.string }
    var parentID: String? { parentIDMember?.string }

    /// As far as it can be read.
    var looseRoute: Route {
        var unknown: [RawJSON.Member] = []
        for member in route?.members ?? [] where !member.isNamed("actors") && !member.isNamed("current") {
            unknown.append(member)
        }
        return Route(
            actors: route?["actors"]?.elements.compactMap(\.string) ?? [], current: route?["current"]?.integer ?? 0,
            unknown: unknown)
    }

    /// As far as they can be read.
    var looseHeaders: Headers { headers.flatMap { try? Headers($0) } ?? Headers() }

    /// The route with `current` one further, everything else as it came.
    var advancedRoute: RawJSON {
        let current = route?["current"]?.integer ?? 0
        return RawJSON { route in
            route.beginObject()
            for member in self.route?.members ?? [] where !member.isNamed("current") { route.append(member) }
            route.name("current")
            route.append(current == .max ? current : current + 1)
            route.endObject()
        }
    }

    // MARK: Checks

    enum Checks: Sendable {
        /// Every field that the protocol knows.
        case everything
        /// What payload mode can't do without.
        case payloadAndRoute
        case nothing
    }

    func check(_ checks: Checks) throws(EnvelopeProblem) {
        switch checks {
        case .everything: try validate()
        case .payloadAndRoute: _ = try requirePayloadAndRoute()
        case .nothing: break
        }
    }

    private func validate() throws(EnvelopeProblem) {
        let route = try requirePayloadAndRoute()
        guard let actors = route["actors"] else { throw EnvelopeProblem("Missing required field 'actors' in route") }
        guard actors.kind == .array else { throw EnvelopeProblem("Field 'route.actors' must be a list") }
        let names = actors.elements
        guard !names.isEmpty else { throw EnvelopeProblem("Field 'route.actors' cannot be empty") }
        for (index, name) in names.enumerated() where name.string == nil {
            throw EnvelopeProblem("Field 'route.actors[\(index)]' must be a string")
        }
        let current = route["current"]?.integer ?? 0
        guard (0...names.count).contains(current) else {
            throw EnvelopeProblem("Invalid route.current=\(current): out of bounds for \(names.count) actors")
        }
        if let headers, headers.kind != .object { throw EnvelopeProblem("Field 'headers' must be a dict") }
        if let idMember, idMember.string == nil { throw EnvelopeProblem("Field 'id' must be a string") }
    }

    /// For what a handler returns: the steps that were done when it got its envelope are as they were.
    func check(after input: LooseEnvelope) throws(EnvelopeProblem) {
        try validate()
        let route = input.looseRoute
        let done = Array(route.actors.prefix(route.current + 1))
        let beginning = Array(looseRoute.actors.prefix(done.count))
        guard beginning == done else {
            throw EnvelopeProblem(
                "Route modification error: already-processed actors cannot be erased: "
                    + "the input's route begins with \(done), the output's with \(beginning)")
        }
    }

    private func requirePayloadAndRoute() throws(EnvelopeProblem) -> RawJSON {
        guard payload != nil else { throw EnvelopeProblem.missingPayload }
        guard let route else { throw EnvelopeProblem("Missing required field 'route' in envelope") }
        guard route.kind == .object else { throw EnvelopeProblem("Field 'route' must be a dict") }
        if let current = route["current"], current.integer == nil {
            throw EnvelopeProblem("Field 'route.current' must be an integer")
        }
        return route
    }
}

/// Why something is no envelope; the message is for whoever sent it.
struct EnvelopeProblem: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    init(_ error: JSONError) {
        let setting =
            switch error.code {
            case .tooDeep: " (TROUPE_MAX_NESTING)"
            case .tooLarge: " (TROUPE_MAX_MESSAGE_BYTES)"
            default: ""
            }
        description = "not JSON that can be read: \(error)\(setting)"
    }

    static let missingPayload = EnvelopeProblem("Missing required field 'payload' in envelope")
}

extension RawJSON.Kind {
    fileprivate var withArticle: String {
        switch self {
        case .null: "null"
        case .array, .object: "an \(rawValue)"
        case .boolean, .number, .string: "a \(rawValue)"
        }
    }
}
