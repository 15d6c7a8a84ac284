internal import Gateways
internal import Yams

/// Routes are lists of actors; one may stand for another by its name.
extension ProjectReader {
    /// Steps.
    static let longestRoute = 1000

    /// - Parameter included: routes of other projects, which may be named here.
    /// - Returns: all of them, with the steps of those that they include.
    mutating func readRoutes(
        _ node: Node?, actors: [String], included: [String: [String]] = [:]
    ) -> [String: [String]] {
        guard let node, !node.isNull else { return included }
        guard let mapping = node.mapping else {
            report(node, "'routes' must be a mapping of names to lists of actors")
            return included
        }
        var routes = Routes(actors: actors)
        for (key, value) in mapping {
            guard let name = key.scalar?.string else { continue }
            if actors.contains(name) {
                report(key, "route '\(name)' has the name of an actor: a route could mean either")
            } else if included[name] != nil {
                report(key, "route '\(name)' has the name of one of an included project: it could mean either")
            } else {
                routes.names.append(name)
            }
            routes.steps[name] = (key, list(value, "route '\(name)'"))
            if value.sequence?.isEmpty == true || value.isNull {
                report(value, "route '\(name)' must be a list of actors, at least one")
            }
        }
        var expanded = included
        let own = routes.names
        routes.names += included.keys.sorted()
        for name in own { _ = expand(name, in: &routes, into: &expanded, below: []) }
        return expanded
    }

    /// A tool's route as a list of actors, where it is one that can be understood.
    mutating func expanded(_ node: Node, tool: String, _ routes: [String: [String]], _ actors: [String]) -> Node {
        let label = "route of tool '\(tool)'"
        let nodes: [Node]
        if let sequence = node.sequence {
            nodes = Array(sequence)
        } else if node.scalar != nil, !node.isNull {
            nodes = [node]
        } else {
            return node
        }
        var steps: [Node] = []
        for step in nodes {
            guard let name = step.scalar?.string, !step.isNull else {
                report(step, "\(label): a step must be the name of an actor or a route")
                continue
            }
            if let route = routes[name] {
                steps += route.map { .scalar(.init($0, step.tag, .any, step.mark)) }
            } else if actors.contains(name) {
                steps.append(step)
            } else {
                reportUnknown(step, name, label, known: actors + routes.keys.sorted())
                // One mistake is enough: what stands here instead is known to be right.
                steps.append(.scalar(.init("unknown", step.tag, .any, step.mark)))
            }
        }
        if steps.isEmpty { return node }
        return .sequence(.init(steps, .implicit, .any, node.mark))
    }

    private struct Routes {
        let actors: [String]
        var names: [String] = []
        var steps: [String: (key: Node, list: [Node])] = [:]
    }

    /// - Parameter path: the routes that this one is included by.
    private mutating func expand(
        _ name: String, in routes: inout Routes, into expanded: inout [String: [String]], below path: [String]
    ) -> [String] {
        if let known = expanded[name] { return known }
        guard let (key, steps) = routes.steps[name] else { return [] }
        var actors: [String] = []
        for step in steps {
            guard let next = step.scalar?.string, !step.isNull else {
                report(step, "route '\(name)': a step must be the name of an actor or a route")
                continue
            }
            if routes.actors.contains(next) {
                actors.append(next)
            } else if next == name || path.contains(next) {
                let circle = (path + [name]).drop { $0 != next } + [next]
                report(
                    step,
                    "route '\(name)' leads back to itself (\(circle.joined(separator: " -> "))) and would never end; "
                        + "for a loop with a pause, let an envelope-mode handler add the next steps to its route, "
                        + "with the header troupe-delay-ms")
            } else if routes.names.contains(next) {
                actors += expand(next, in: &routes, into: &expanded, below: path + [name])
            } else {
                reportUnknown(step, next, "route '\(name)'", known: routes.actors + routes.names)
            }
            if actors.count > Self.longestRoute {
                report(key, "route '\(name)' has more than \(Self.longestRoute) steps")
                actors = []
                break
            }
        }
        expanded[name] = actors
        return actors
    }

    private mutating func reportUnknown(_ node: Node, _ name: String, _ label: String, known: [String]) {
        if Self.ends.contains(name) {
            report(node, "\(label): '\(name)' is reserved: every route leads there by itself")
        } else {
            report(
                node, "\(label): '\(name)' is no actor and no route\(Suggestion.words(for: name, among: known))")
        }
    }
}
