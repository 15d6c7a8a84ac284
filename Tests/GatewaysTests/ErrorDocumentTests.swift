import Foundation
import TestSupport
import Testing

@testable import Gateways

@Suite("The page of errors")
struct ErrorDocumentTests {
    /// `TROUPE_TEST_WRITE_DOCS=1` writes it anew.
    @Test("docs/errors.md has every code, as the gateway has it")
    func upToDate() throws {
        let file = TestDatabase.repository.appending(path: "docs/errors.md")
        if ProcessInfo.processInfo.environment["TROUPE_TEST_WRITE_DOCS"] == "1" {
            try ErrorDocument.markdown.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(
            try String(contentsOf: file, encoding: .utf8) == ErrorDocument.markdown,
            "run it with TROUPE_TEST_WRITE_DOCS=1")
    }
}
