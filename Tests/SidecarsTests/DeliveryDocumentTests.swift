import Foundation
import Testing

/// `docs/delivery.md` names the tests that prove it. They must exist.
struct DeliveryDocumentTests {
    @Test func theTestsThatItNamesExist() throws {
        let page = try text("docs/delivery.md")
        let sources = [
            "D": try text("Tests/SidecarsTests/DeliveryMachineTests.swift"),
            "S": try text("Tests/SidecarsTests/SidecarProcessTests.swift"), "F": try text("Tests/Faults/scenarios.py"),
        ]
        let names = page.matches(of: /`([DSF])\.([A-Za-z-]+)`/).map { (suite: String($0.1), test: String($0.2)) }
        #expect(names.count > 30)
        for (suite, test) in names {
            let definition = suite == "F" ? "Scenario(\"\(test)\"" : "func \(test)("
            #expect(sources[suite]?.contains(definition) == true, "\(suite).\(test)")
        }
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: SidecarHarness.sources.appendingPathComponent(path), encoding: .utf8)
    }
}
