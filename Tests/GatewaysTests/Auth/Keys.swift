import Foundation
import Logging
import Testing

@testable import Gateways

/// A file of API keys, one for each scope, named like it.
struct Keys {
    let path = FileManager.default.temporaryDirectory.appending(path: "troupe-keys-\(UUID().uuidString).yaml").path
    private(set) var keys: [Scope: APIKey] = [:]
    private(set) var text = ""

    init() throws {
        for scope in Scope.allCases {
            let key = APIKey.random()
            keys[scope] = key
            text += try key.entry(name: scope.rawValue, scopes: [scope.rawValue]) + "\n"
        }
        try write()
    }

    /// - Parameter more: lines of the entry.
    mutating func add(_ name: String, _ scopes: [Scope], more: String = "") throws -> APIKey {
        let key = APIKey.random()
        text += try key.entry(name: name, scopes: scopes.map(\.rawValue)) + "\n" + more
        try write()
        return key
    }

    func write(_ text: String? = nil) throws {
        try Data((text ?? self.text).utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    subscript(scope: Scope) -> String { keys[scope]?.text ?? "" }
    func headers(_ scope: Scope) -> [String: String] { ["Authorization": "Bearer \(self[scope])"] }
}

/// A gateway that asks for keys.
func withKeys(
    _ keys: Keys? = nil, logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
    configure: (inout Configuration) -> Void = { _ in }, _ body: (TestGateway, Keys) async throws -> Void
) async throws {
    let keys = try keys ?? Keys()
    defer { try? FileManager.default.removeItem(atPath: keys.path) }
    try await withGateway(logger: logger) {
        $0.auth.keysPath = keys.path
        $0.configReload = .milliseconds(50)
        configure(&$0)
    } _: { gateway, _ in
        try await body(gateway, keys)
    }
}

extension APIKey {
    var headers: [String: String] { ["Authorization": "Bearer \(text)"] }
}
