internal import Envelopes
internal import Yams

/// Reads API keys, and gathers every mistake, from a YAML list:
///
///     - {name, hash: "sha256:<64 digits>", scopes: [...], rate: requests per second, streams: number, expires: time}
struct APIKeyFileReader: YAMLReading {
    let file: String
    var problems: [FileProblem] = []
    private var entries: [APIKeyTable.Entry] = []

    private static let known = ["name", "hash", "scopes", "rate", "streams", "expires"]

    static func read(_ path: String) throws(FileErrors) -> APIKeyTable { try parse(String(file: path), file: path) }

    static func reader(_ path: String) -> LiveFile<APIKeyTable>.Reader {
        { () throws(FileErrors) in try read(path) }
    }

    static func parse(_ text: String, file: String = "keys.yaml") throws(FileErrors) -> APIKeyTable {
        var reader = APIKeyFileReader(file: file)
        // A file without keys is one: nobody gets in.
        reader.read(reader.compose(text))
        guard reader.problems.isEmpty else { throw FileErrors(reader.problems) }
        return APIKeyTable(reader.entries)
    }

    private init(file: String) { self.file = file }

    private mutating func read(_ root: Node?) {
        guard let root, !root.isNull else { return }
        guard let list = root.sequence else { return report(root, "must be a list of keys") }
        for node in list { readKey(node) }
    }

    private mutating func readKey(_ node: Node) {
        guard let mapping = node.mapping else { return report(node, "a key must be a mapping with 'name'") }
        guard let name = mapping["name"]?.scalar?.string, EnvelopeID.isAcceptable(name) else {
            return report(
                mapping["name"] ?? node, "a key's 'name' must have 1 to 200 characters of A-Z a-z 0-9 . _ : -")
        }
        for (key, _) in mapping where !Self.known.contains(key.scalar?.string ?? "") {
            report(key, "key '\(name)' has an unknown member; known are: \(Self.known.joined(separator: ", "))")
        }
        guard let digest = mapping["hash"]?.scalar.flatMap({ Self.digest($0.string) }) else {
            return report(
                mapping["hash"] ?? node,
                "'hash' of key '\(name)' must be 'sha256:' and 64 hexadecimal digits, as 'troupe key new' prints it")
        }
        if entries.contains(where: { $0.name == name }) { report(node, "key '\(name)' is there already") }
        if let twin = entries.first(where: { $0.digest == digest }) {
            report(node, "keys '\(twin.name)' and '\(name)' are the same one")
        }
        var entry = APIKeyTable.Entry(name: name, digest: digest, scopes: scopes(mapping["scopes"], node, name))
        if let rate = mapping["rate"] {
            entry.rate = rate.float ?? rate.int.map(Double.init)
            if !((entry.rate ?? 0) > 0 && (entry.rate ?? 0) <= 1e6) {
                report(rate, "'rate' of key '\(name)' must be requests per second, above 0, at most 1000000")
            }
        }
        if let streams = mapping["streams"] {
            entry.streams = streams.int
            if !(0...1_000_000).contains(entry.streams ?? -1) {
                report(streams, "'streams' of key '\(name)' must be a whole number from 0 to 1000000")
            }
        }
        if let expires = mapping["expires"] {
            entry.expires = expires.scalar.flatMap { Timestamp.microseconds(parsing: $0.string) }
            if entry.expires == nil {
                report(expires, "'expires' of key '\(name)' must be like 2027-01-31T00:00:00Z")
            }
        }
        entries.append(entry)
    }

    private mutating func scopes(_ node: Node?, _ place: Node, _ name: String) -> Set<Scope> {
        let known = Scope.allCases.map(\.rawValue).joined(separator: ", ")
        guard let list = node?.sequence, !list.isEmpty else {
            report(node ?? place, "'scopes' of key '\(name)' must be a list of: \(known)")
            return []
        }
        var scopes: Set<Scope> = []
        for element in list {
            if let scope = element.scalar.flatMap({ Scope(rawValue: $0.string) }) {
                scopes.insert(scope)
            } else {
                report(element, "key '\(name)' has a scope that is none of: \(known)")
            }
        }
        return scopes
    }

    private static func digest(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "sha256", parts[1].utf8.count == 64 else { return nil }
        var digest: [UInt8] = []
        var rest = parts[1]
        while !rest.isEmpty {
            let pair = rest.prefix(2)
            guard pair.allSatisfy(\.isHexDigit), let byte = UInt8(pair, radix: 16) else { return nil }
            digest.append(byte)
            rest = rest.dropFirst(2)
        }
        return digest
    }
}
