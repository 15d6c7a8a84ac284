internal import FoundationEssentials
internal import Gateways
internal import Settings
internal import Sidecars
internal import Yams

/// Actors:
///
///     handler: file.py:function or module.function, mode: payload or envelope
///     or command: [program, argument, ...]
///     or swift: product, or {package, product}
///     replicas: number, or scale: {min, max, queueLength, cooldown, period, stabilization}
///     concurrency, timeout, faults
///     retry: {attempts, initialDelay, factor, maxDelay, jitter, only, never}
///     environment: {NAME: value}
///     watch: [file or folder, ...]
extension ProjectReader {
    /// Written into routes by sidecars only.
    static let ends = ["happy-end", "error-end"]

    static let actorKeys: [String] =
        ["handler", "mode", "command", "swift", "replicas", "scale", "retry", "environment", "watch"]
        + settingKeys.map(\.key)
    static let scaleKeys = ["min", "max", "queueLength", "cooldown", "period", "stabilization"]
    static let retryKeys: [String] = retrySettingKeys.map(\.key) + retryLists.map(\.key)

    /// What is wrong with a value, its setting says: names and ranges stand with the settings.
    private static let settingKeys: [SettingKey] = [
        SettingKey("concurrency", "CONCURRENCY"), SettingKey("timeout", "RUNTIME_TIMEOUT"),
        SettingKey("faults", "FAULTS_ENABLED"),
    ]
    private static let retrySettingKeys: [SettingKey] = [
        SettingKey("attempts", "RETRY_ATTEMPTS"), SettingKey("initialDelay", "RETRY_INITIAL_DELAY"),
        SettingKey("factor", "RETRY_FACTOR"), SettingKey("maxDelay", "RETRY_MAX_DELAY"),
        SettingKey("jitter", "RETRY_JITTER"),
    ]
    private static let retryLists: [SettingKey] = [
        SettingKey("only", "RETRY_ON"), SettingKey("never", "RETRY_NOT_ON"),
    ]

    private struct SettingKey {
        let key: String
        let setting: String

        init(_ key: String, _ name: String) {
            self.key = key
            setting = "TROUPE_\(name)"
        }
    }

    /// - Returns: those that can be used, and the names of all.
    mutating func readActors(_ node: Node?) -> (actors: [ProjectActor], names: [String]) {
        guard let node else { return ([], []) }
        guard let mapping = node.mapping, !mapping.isEmpty else {
            report(node, "'actors' must be a mapping of names to handlers, at least one")
            return ([], [])
        }
        var (actors, names) = ([ProjectActor](), [String]())
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                report(key, "an actor's name must be a string")
                continue
            }
            checkName(name, key)
            names.append(name)
            if let actor = readActor(name, value) { actors.append(actor) }
        }
        return (actors, names)
    }

    private mutating func checkName(_ name: String, _ node: Node) {
        if Self.ends.contains(name) {
            report(node, "'\(name)' is reserved: Troupe brings it along, and every route leads there by itself")
        } else if !SidecarConfiguration.isActorName(name) {
            report(
                node,
                "'\(name)' is no actor name: 1 to 100 of A-Z a-z 0-9 . _ -, beginning with a letter or digit, not ending in -dlq"
            )
        }
    }

    private mutating func readActor(_ name: String, _ node: Node) -> ProjectActor? {
        let owner = "actor '\(name)'"
        // The handler alone.
        if node.scalar != nil, !node.isNull {
            return readPython(node, owner).map { ProjectActor(name: name, handler: .python($0)) }
        }
        guard let mapping = node.mapping else {
            report(node, "\(owner) must be a handler like handlers/\(name).py:process, or a mapping with one")
            return nil
        }
        checkKeys(mapping, of: owner, known: Self.actorKeys)
        guard let handler = readHandler(mapping, at: node, owner) else {
            // The rest is looked at all the same: all mistakes at once.
            _ = readSettings(mapping, owner)
            _ = readReplicas(mapping, owner)
            _ = readEnvironment(mapping["environment"], owner)
            return nil
        }
        var actor = ProjectActor(name: name, handler: handler)
        actor.settings = readSettings(mapping, owner)
        actor.replicas = readReplicas(mapping, owner)
        actor.environment = readEnvironment(mapping["environment"], owner)
        actor.watched = list(mapping["watch"], "watch of \(owner)").compactMap { readWatched($0, owner) }
        if let mode: Mode = choice(mapping["mode"], "mode of \(owner)") {
            if case .python = handler {
                actor.settings["TROUPE_HANDLER_MODE"] = mode.rawValue
            } else {
                report(mapping["mode"], "mode of \(owner) is for handlers in Python: others know their own")
            }
        }
        return actor
    }

    private enum Mode: String, CaseIterable { case payload, envelope }

    // MARK: Handlers

    private mutating func readHandler(_ mapping: Node.Mapping, at node: Node, _ owner: String) -> ProjectActor.Handler?
    {
        let kinds = ["handler", "command", "swift"]
        let found = kinds.compactMap { kind in mapping[kind].map { (kind, $0) } }
        guard found.count == 1, let (kind, value) = found.first else {
            report(
                found.last?.1 ?? node,
                found.isEmpty
                    ? "\(owner) has no handler: 'handler' names a function in Python, 'command' a program, 'swift' a target"
                    : "\(owner) has \(found.map { "'\($0.0)'" }.joined(separator: " and ")): only one of them can be meant"
            )
            return nil
        }
        switch kind {
        case "handler": return readPython(value, owner).map { .python($0) }
        case "swift": return readSwift(value, owner)
        default: return readCommand(value, owner).map { .command($0) }
        }
    }

    private mutating func readPython(_ node: Node, _ owner: String) -> PythonHandler? {
        guard let text = string(node, "handler of \(owner)") else { return nil }
        do throws(HandlerPath.Problem) {
            return try HandlerPath.parse(text, in: folder)
        } catch {
            report(node, "handler of \(owner): \(error.message)")
            return nil
        }
    }

    private mutating func readCommand(_ node: Node, _ owner: String) -> [String]? {
        let words = node.sequence?.compactMap { $0.scalar?.string } ?? []
        guard !words.isEmpty, words.count == node.sequence?.count, words[0] != "",
            !words.contains(where: { $0.contains("\0") })
        else {
            report(node, "command of \(owner) must be a list of a program and its arguments, like [python3, serve.py]")
            return nil
        }
        return words
    }

    private mutating func readSwift(_ node: Node, _ owner: String) -> ProjectActor.Handler? {
        var (package, product): (String?, String?) = (".", nil)
        if let mapping = node.mapping {
            checkKeys(mapping, of: "swift of \(owner)", known: ["package", "product"])
            package = mapping["package"].map { string($0, "swift.package of \(owner)") } ?? "."
            product = string(mapping["product"], "swift.product of \(owner)")
            if mapping["product"] == nil { report(node, "swift of \(owner) has no 'product'") }
        } else {
            product = string(node, "swift of \(owner)")
        }
        guard let package, let product else { return nil }
        guard FileManager.default.fileExists(atPath: path(package) + "/Package.swift") else {
            report(
                node.mapping?["package"] ?? node,
                "swift of \(owner): there is no Package.swift in '\(package)'; "
                    + "write swift: {package: folder, product: name} for one that is elsewhere")
            return nil
        }
        return .swift(package: package, product: product)
    }

    // MARK: Numbers

    private mutating func readReplicas(_ mapping: Node.Mapping, _ owner: String) -> ProjectActor.Replicas {
        if let scale = mapping["scale"] {
            if let replicas = mapping["replicas"] {
                report(replicas, "\(owner) has both 'replicas' and 'scale': only one of them can be meant")
            }
            return .scaled(readScale(scale, owner))
        }
        return .fixed(integer(mapping["replicas"], "replicas of \(owner)", in: 0...64) ?? 1)
    }

    private mutating func readScale(_ node: Node, _ owner: String) -> Scale {
        var scale = Scale()
        guard let mapping = node.mapping else {
            report(node, "scale of \(owner) must be a mapping like {min: 0, max: 4, queueLength: 5}")
            return scale
        }
        let label = "scale of \(owner)"
        checkKeys(mapping, of: label, known: Self.scaleKeys)
        scale.minimum = integer(mapping["min"], "min in \(label)", in: 0...64) ?? scale.minimum
        scale.maximum = integer(mapping["max"], "max in \(label)", in: 1...64) ?? max(scale.maximum, scale.minimum)
        scale.queueLength =
            integer(mapping["queueLength"], "queueLength in \(label)", in: 1...1_000_000) ?? scale.queueLength
        let spans = Duration.zero...Duration.seconds(86_400)
        scale.cooldown = duration(mapping["cooldown"], "cooldown in \(label)", in: spans) ?? scale.cooldown
        scale.stabilization =
            duration(mapping["stabilization"], "stabilization in \(label)", in: spans) ?? scale.stabilization
        scale.period =
            duration(mapping["period"], "period in \(label)", in: .milliseconds(100)...spans.upperBound) ?? scale.period
        if scale.maximum < scale.minimum {
            report(mapping["max"], "max in \(label) is \(scale.maximum), less than min, which is \(scale.minimum)")
        }
        return scale
    }

    /// By their names, as they stand: their own readers check them.
    private mutating func readSettings(_ mapping: Node.Mapping, _ owner: String) -> [String: String] {
        var nodes: [String: (node: Node, label: String)] = [:]
        var settings: [String: String] = [:]
        func take(_ key: SettingKey, from mapping: Node.Mapping, _ label: String, _ reader: inout ProjectReader) {
            guard let node = mapping[key.key] else { return }
            guard let text = node.scalar?.string, !node.isNull, !text.isEmpty else {
                return reader.report(node, "\(label) must be a single value")
            }
            nodes[key.setting] = (node, label)
            settings[key.setting] = text
        }
        for key in Self.settingKeys { take(key, from: mapping, "\(key.key) of \(owner)", &self) }
        if let retry = mapping["retry"] {
            if let retry = retry.mapping {
                checkKeys(retry, of: "retry of \(owner)", known: Self.retryKeys)
                for key in Self.retrySettingKeys { take(key, from: retry, "\(key.key) in retry of \(owner)", &self) }
                for key in Self.retryLists {
                    let label = "\(key.key) in retry of \(owner)"
                    let types = list(retry[key.key], label).compactMap { string($0, "a type of \(label)") }
                    guard let node = retry[key.key], !types.isEmpty else { continue }
                    nodes[key.setting] = (node, label)
                    settings[key.setting] = types.joined(separator: ",")
                }
            } else {
                report(retry, "retry of \(owner) must be a mapping like {attempts: 5, initialDelay: 1s}")
            }
        }
        do throws(SettingsError) {
            _ = try SidecarConfiguration(Settings(environment: settings.merging(["TROUPE_ACTOR_NAME": "a"]) { $1 }))
        } catch {
            for problem in error.problems {
                let place = nodes[problem.setting]
                report(place?.node, "\(place?.label ?? problem.setting): \(problem.message)")
            }
        }
        return settings
    }

    // MARK: Surroundings

    private mutating func readEnvironment(_ node: Node?, _ owner: String) -> [String: String] {
        guard let node, !node.isNull else { return [:] }
        guard let mapping = node.mapping else {
            report(node, "environment of \(owner) must be a mapping of names to values")
            return [:]
        }
        var environment: [String: String] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string, name.isVariableName else {
                report(key, "environment of \(owner): a name has letters, digits and _, and begins with no digit")
                continue
            }
            guard let text = value.scalar?.string, !value.isNull, !text.contains("\0") else {
                report(value, "environment of \(owner): \(name) must be a single value")
                continue
            }
            if Self.ownVariables.contains(name) {
                report(key, "environment of \(owner): \(name) is set from the actor's own keys")
            }
            environment[name] = text
        }
        return environment
    }

    private static let ownVariables =
        ["ACTOR_NAME", "HANDLER", "HANDLER_MODE", "SOCKET_DIR", "SOCKET_NAME", "CONCURRENCY"].flatMap {
            ["TROUPE_\($0)", "ASYA_\($0)"]
        }

    private mutating func readWatched(_ node: Node, _ owner: String) -> String? {
        guard let name = string(node, "watch of \(owner)") else { return nil }
        guard FileManager.default.fileExists(atPath: path(name)) else {
            report(node, "watch of \(owner): there is no '\(name)'")
            return nil
        }
        return name
    }

    private func path(_ name: String) -> String { name.hasPrefix("/") ? name : "\(folder)/\(name)" }
}

extension String {
    fileprivate var isVariableName: Bool {
        !isEmpty && utf8.first.map { !(48...57).contains($0) } == true
            && utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
