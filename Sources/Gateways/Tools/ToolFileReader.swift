internal import Envelopes
internal import Settings
internal import Yams

/// Gathers tools, prompts and resources, and every mistake, from YAML files:
///
///     defaults: {progress, timeout}
///     routes: {name: [actor, ...]}
///     tools: [{name, title, description, parameters or inputSchema, outputSchema, result, task, route, progress, timeout, metadata}]
///     prompts: [{name, title, description, arguments, messages}]
///     resources: [{uri, name, title, description, mimeType, text or file or data}]
///
/// Defaults and named routes hold for the file they stand in.
struct ToolFileReader: YAMLReading {
    var problems: [FileProblem] = []
    private var tools: [Tool] = []
    var prompts: [Prompt] = []
    var resources: [Resource] = []
    private var places: [String: String] = [:]
    private(set) var file = ""

    /// Of a file.
    static let keys = ["defaults", "routes", "tools", "prompts", "resources"]

    mutating func read(_ text: String, file: String) {
        self.file = file
        let before = problems.count
        guard let root = compose(text) else {
            if problems.count == before { report(nil, "holds nothing") }
            return
        }
        guard let mapping = root.mapping else { return report(root, "must be a mapping with 'tools'") }
        if mapping["tools"] == nil, mapping["prompts"] == nil, mapping["resources"] == nil {
            report(root, "'tools' is missing, and so are 'prompts' and 'resources'")
        }
        read(mapping, file: file)
    }

    mutating func read(_ mapping: Node.Mapping, file: String) {
        self.file = file
        checkKeys(mapping, of: "the file", known: Self.keys)
        let defaults = readDefaults(mapping["defaults"])
        let routes = readRoutes(mapping["routes"])
        for node in list(mapping["tools"], "'tools'") { readTool(node, defaults: defaults, routes: routes) }
        for node in list(mapping["prompts"], "'prompts'") { readPrompt(node) }
        for node in list(mapping["resources"], "'resources'") { readResource(node) }
    }

    func finish() throws(FileErrors) -> ToolCatalogue {
        guard problems.isEmpty else { throw FileErrors(problems) }
        return catalogue
    }

    var catalogue: ToolCatalogue { ToolCatalogue(tools, prompts: prompts, resources: resources) }

    // MARK: Parts of a file

    private struct Defaults {
        var progress = true
        var timeout: Double?
    }

    private mutating func readDefaults(_ node: Node?) -> Defaults {
        var defaults = Defaults()
        guard let node, !node.isNull else { return defaults }
        guard let mapping = node.mapping else {
            report(node, "'defaults' must be a mapping")
            return defaults
        }
        checkKeys(mapping, of: "'defaults'", known: ["progress", "timeout"])
        defaults.progress = boolean(mapping["progress"], "defaults.progress") ?? defaults.progress
        defaults.timeout = timeout(mapping["timeout"], "defaults.timeout")
        return defaults
    }

    private mutating func readRoutes(_ node: Node?) -> [String: [String]] {
        guard let node, !node.isNull else { return [:] }
        guard let mapping = node.mapping else {
            report(node, "'routes' must be a mapping of names to lists of actors")
            return [:]
        }
        var routes: [String: [String]] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                report(key, "a route's name must be a string")
                continue
            }
            routes[name] = actors(value, "route '\(name)'") ?? []
        }
        return routes
    }

    private mutating func readTool(_ node: Node, defaults: Defaults, routes: [String: [String]]) {
        guard let mapping = node.mapping else { return report(node, "a tool must be a mapping") }
        guard let name = string(mapping["name"], "a tool's name") else {
            if mapping["name"] == nil { report(node, "a tool without 'name'") }
            return
        }
        guard checkName(name, mapping["name"], "tool") else { return }
        checkKeys(
            mapping, of: "tool '\(name)'",
            known: [
                "name", "title", "description", "parameters", "inputSchema", "outputSchema", "result", "task", "route",
                "progress", "timeout", "metadata",
            ])
        if mapping["parameters"] != nil, let node = mapping["inputSchema"] {
            report(node, "tool '\(name)' has both 'parameters' and 'inputSchema'")
        }
        let inputSchema = schema(mapping["inputSchema"], "inputSchema of tool '\(name)'")
        if let inputSchema, !inputSchema.isOfObjects {
            report(mapping["inputSchema"], "inputSchema of tool '\(name)' must have 'type: object'")
        }
        if let problem = (inputSchema?.json).flatMap(MirroredArgument.problem) {
            report(mapping["inputSchema"], "inputSchema of tool '\(name)': \(problem)")
        }
        let route = readRoute(mapping["route"], tool: name, at: node, routes)
        let metadata = mapping["metadata"].flatMap { node in
            node.isNull ? nil : json(node, "metadata of tool '\(name)'")
        }
        tools.append(
            Tool(
                name: name, title: string(mapping["title"], "title of tool '\(name)'"),
                description: string(mapping["description"], "description of tool '\(name)'") ?? "",
                parameters: readParameters(mapping["parameters"], of: "tool '\(name)'"), inputSchema: inputSchema,
                outputSchema: schema(mapping["outputSchema"], "outputSchema of tool '\(name)'"),
                resultForm: choice(mapping["result"], "result of tool '\(name)'") ?? .json,
                taskSupport: choice(mapping["task"], "task of tool '\(name)'") ?? .optional, route: route,
                reportsProgress: boolean(mapping["progress"], "progress of tool '\(name)'") ?? defaults.progress,
                timeoutSeconds: timeout(mapping["timeout"], "timeout of tool '\(name)'") ?? defaults.timeout,
                metadata: metadata))
    }

    private mutating func readRoute(_ node: Node?, tool: String, at place: Node, _ routes: [String: [String]])
        -> [String]
    {
        guard let node else {
            report(place, "tool '\(tool)' has no 'route'")
            return []
        }
        guard let name = node.scalar?.string else { return actors(node, "route of tool '\(tool)'") ?? [] }
        guard let route = routes[name] else {
            report(node, "tool '\(tool)' names the route '\(name)', which 'routes' doesn't have")
            return []
        }
        return route
    }

    private mutating func readParameters(_ node: Node?, of owner: String) -> [ToolParameter.Named] {
        guard let node, !node.isNull else { return [] }
        guard let mapping = node.mapping else {
            report(node, "parameters of \(owner) must be a mapping")
            return []
        }
        var parameters: [ToolParameter.Named] = []
        for (key, value) in mapping {
            guard let name = key.scalar?.string, !name.isEmpty else {
                report(key, "a parameter of \(owner) has no name")
                continue
            }
            guard let parameter = readParameter(value, "parameter '\(name)' of \(owner)") else { continue }
            parameters.append(.init(name: name, parameter: parameter))
        }
        return parameters
    }

    private mutating func readParameter(_ node: Node, _ label: String) -> ToolParameter? {
        guard let mapping = node.mapping else {
            report(node, "\(label) must be a mapping with 'type'")
            return nil
        }
        checkKeys(
            mapping, of: label, known: ["type", "description", "required", "default", "options", "items", "properties"])
        guard let type = mapping["type"] else {
            report(node, "\(label) has no 'type'")
            return nil
        }
        guard let kind = type.scalar.flatMap({ ToolParameter.Kind(rawValue: $0.string) }) else {
            let kinds = ToolParameter.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            report(type, "type of \(label) must be one of: \(kinds)")
            return nil
        }
        var parameter = ToolParameter(kind: kind)
        parameter.description = string(mapping["description"], "description of \(label)")
        parameter.isRequired = boolean(mapping["required"], "required of \(label)") ?? false
        readOptions(mapping["options"], label, into: &parameter)
        if let items = mapping["items"] {
            if kind != .array { report(items, "'items' of \(label) is for arrays only") }
            parameter.items = readParameter(items, "items of \(label)").map { .parameter($0) }
        }
        if let properties = mapping["properties"] {
            if kind != .object { report(properties, "'properties' of \(label) is for objects only") }
            parameter.properties = readParameters(properties, of: label)
        }
        if let node = mapping["default"], let value = json(node, "default of \(label)") {
            parameter.fallback = value
            if let problem = parameter.problem(with: value, at: .init("default")) {
                report(node, "\(label): \(problem.message)")
            }
        }
        return parameter
    }

    private mutating func readOptions(_ node: Node?, _ label: String, into parameter: inout ToolParameter) {
        guard let node else { return }
        guard let sequence = node.sequence, !sequence.isEmpty else {
            return report(node, "options of \(label) must be a list of values")
        }
        for element in sequence {
            guard let value = json(element, "an option of \(label)") else { continue }
            if parameter.kind.accepts(value) {
                parameter.options.append(value)
            } else {
                report(element, "option \(value) of \(label) is not of type \(parameter.kind.rawValue)")
            }
        }
    }

    // MARK: Names

    mutating func checkName(_ name: String, _ node: Node?, _ kind: String) -> Bool {
        guard (1...128).contains(name.utf8.count), EnvelopeID.isAcceptable(name) else {
            report(node, "\(kind) name '\(name)' must have 1 to 128 characters of A-Z a-z 0-9 . _ : -")
            return false
        }
        checkIsNew("\(kind) '\(name)'", node)
        return true
    }

    mutating func checkIsNew(_ what: String, _ node: Node?) {
        if let place = places[what] { report(node, "\(what) is defined already, at \(place)") }
        places[what] = "\(file):\(node?.mark?.line ?? 1)"
    }

    // MARK: Values

    private mutating func actors(_ node: Node, _ label: String) -> [String]? {
        guard let sequence = node.sequence, !sequence.isEmpty else {
            report(node, "\(label) must be a list of actors, at least one")
            return nil
        }
        var actors: [String] = []
        for element in sequence {
            guard let name = element.scalar?.string else {
                report(element, "\(label): an actor's name must be a string")
                continue
            }
            if let problem = ActorName.problem(with: name) { report(element, "\(label): \(problem)") }
            actors.append(name)
        }
        return actors
    }

    /// Seconds, or a time span like `5m`.
    private mutating func timeout(_ node: Node?, _ label: String) -> Double? {
        guard let node, !node.isNull else { return nil }
        if let text = node.scalar?.string, let duration = Duration(text: text) {
            let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
            if seconds > 0 && seconds <= 10 * 366 * 86_400 { return seconds }
        }
        report(node, "\(label) must be a number of seconds or a time span like 5m, above 0")
        return nil
    }

    mutating func json(_ node: Node, _ label: String) -> RawJSON? {
        do throws(YAMLValue.Problem) {
            return try YAMLValue.json(node)
        } catch {
            report(at: error.mark, "\(label): \(error.message)")
            return nil
        }
    }

    private mutating func schema(_ node: Node?, _ label: String) -> JSONSchema? {
        guard let node, !node.isNull, let json = json(node, label) else { return nil }
        do throws(JSONSchemaErrors) {
            return try JSONSchema(json)
        } catch {
            for problem in error.problems { report(node, "\(label): \(problem)") }
            return nil
        }
    }
}
