internal import Gateways
internal import Yams

/// Reads a `troupe.yaml`:
///
///     actors: {name: handler, or {handler, mode, replicas, ...}}
///     routes: {name: [actor or route, ...]}
///     tools, prompts, resources, defaults: as in a gateway's file; a tool's route is a list, or the name of a route or an actor
///     include: [folder of another project, ...]
///     gateway: {port}
///     faults: whether things may go wrong on purpose
///     python: interpreter
///
/// `docs/dev.md` has all keys; a test holds the two together.
struct ProjectReader: YAMLReading {
    let file: String
    let folder: String
    let isIncluded: Bool
    var problems: [FileProblem] = []

    static let keys = ["actors", "faults", "gateway", "include", "python"] + ToolCatalogue.keys
    static let gatewayKeys = ["port"]

    init(file: String, folder: String, isIncluded: Bool = false) {
        self.file = file
        self.folder = folder
        self.isIncluded = isIncluded
    }

    /// - Returns: `nil` where there is no document.
    mutating func read(_ text: String) -> Project? {
        guard let root = compose(text), !root.isNull else {
            if problems.isEmpty { report(nil, "holds nothing: it needs 'actors'; `troupe init` writes an example") }
            return nil
        }
        guard let document = root.mapping else {
            report(root, "must be a mapping with 'actors'")
            return nil
        }
        checkKeys(document, of: "the file", known: Self.keys)
        if document["actors"] == nil && document["include"] == nil {
            report(root, "'actors' is missing: a project has at least one")
        }
        let actors = readActors(document["actors"])
        let projects = readIncluded(document["include"])
        let included = merged(projects, own: actors.names)
        let names = actors.names + included.actors.map(\.name)
        let routes = readRoutes(document["routes"], actors: names, included: included.routes)
        let tools = readTools(document, routes: routes, actors: names)
        for (node, project) in projects {
            for name in tools.names(sharedWith: project.tools) { reportTwice(name, file, project, node) }
        }
        return Project(
            file: file, folder: folder, actors: actors.actors + included.actors, routes: routes,
            tools: tools.with(included.tools), port: readPort(document["gateway"]),
            python: string(document["python"], "'python'"),
            hasFaults: boolean(document["faults"], "'faults'") ?? included.hasFaults, included: included.homes)
    }

    private mutating func readPort(_ node: Node?) -> Int? {
        guard let node, !node.isNull else { return nil }
        guard let mapping = node.mapping else {
            report(node, "'gateway' must be a mapping with 'port'")
            return nil
        }
        checkKeys(mapping, of: "'gateway'", known: Self.gatewayKeys)
        return integer(mapping["port"], "gateway.port", in: 0...65535)
    }

    /// The gateway's reader takes the rest of the document, with routes that have no names in them any more.
    private mutating func readTools(_ document: Node.Mapping, routes: [String: [String]], actors: [String])
        -> ToolCatalogue
    {
        let own = ToolCatalogue.keys.filter { $0 != "routes" }
        var pairs = document.filter { key, _ in own.contains(key.scalar?.string ?? "") }
        for index in pairs.indices where pairs[index].key.scalar?.string == "tools" {
            guard case .sequence(var tools) = pairs[index].value else { continue }
            for place in tools.indices {
                guard case .mapping(var tool) = tools[place], let route = tool["route"] else { continue }
                tool["route"] = expanded(route, tool: tool["name"]?.scalar?.string ?? "", routes, actors)
                tools[place] = .mapping(tool)
            }
            pairs[index].value = .sequence(tools)
        }
        let (catalogue, problems) = ToolCatalogue.read(Node.Mapping(pairs.map { ($0.key, $0.value) }), file: file)
        self.problems += problems
        return catalogue
    }
}
