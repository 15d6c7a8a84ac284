import Foundation
import Testing

/// `docs/settings.md` against the code: every setting that is read has a row, and every row is read.
struct DocumentedSettingsTests {
    static let top = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: top.appendingPathComponent(path), encoding: .utf8)
    }

    /// Names of settings that the Swift code asks `Settings` for, and that the Python runtime documents of itself.
    static func read() throws -> Set<String> {
        var names: Set<String> = []
        let files = FileManager.default.enumerator(
            at: top.appendingPathComponent("Sources"), includingPropertiesForKeys: nil)
        for case let file as URL in files?.allObjects ?? [] where file.pathExtension == "swift" {
            let source = try String(contentsOf: file, encoding: .utf8)
            let calls =
                /(?:\.(?:text|list|required|integer|flag|choice|duration)|secret|prefix)\(\s*(?:&settings, )?"([A-Z0-9_]+)"/
            for match in source.matches(of: calls) { names.insert("TROUPE_\(match.1)") }
            for match in source.matches(of: /orFile: "([A-Z0-9_]+)"/) { names.insert("TROUPE_\(match.1)") }
            for match in source.matches(of: /"((?:AWS|OTEL)_[A-Z_]+)"/) { names.insert(String(match.1)) }
        }
        let runtime = try text("actors/runtime/troupe_runtime.py").prefix(4000)
        for match in runtime.matches(of: /^ {4}(TROUPE_[A-Z_]+) {2}/.anchorsMatchLineEndings()) {
            names.insert(String(match.1))
        }
        return names
    }

    @Test func theTableIsTrue() throws {
        let page = try Self.text("docs/settings.md")
        var documented: Set<String> = []
        for match in page.matches(of: /`((?:TROUPE|AWS|OTEL)_[A-Z0-9_]+)`/) { documented.insert(String(match.1)) }
        let read = try Self.read()
        #expect(read.count > 60)
        #expect(read.subtracting(documented) == [], "read, but not in docs/settings.md")
        #expect(documented.subtracting(read).subtracting(["TROUPE_X"]) == [], "in docs/settings.md, but never read")
    }
}
