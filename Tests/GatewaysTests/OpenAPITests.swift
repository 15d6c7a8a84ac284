import Envelopes
import Testing

@testable import Gateways

@Suite("The API's document", .serialized)
struct OpenAPITests {
    @Test("the document has every method of every path, and the router knows no other")
    func complete() async throws {
        try await withGateway { gateway, _ in
            let document = try await gateway.client.get("/openapi.json")
            #expect(document.status == 200)
            let paths = try #require(document["paths"]).members
            #expect(paths.count > 15)
            for path in paths {
                let name = path.name ?? ""
                let known = Set(path.value.members.compactMap { $0.name?.uppercased() })
                for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
                    // Streams would not end.
                    if name.hasSuffix("stream") && method == "GET" { continue }
                    let answer = try await gateway.client.send(
                        method, name.replacing(/\{[a-z]+\}/, with: "x"), body: method == "POST" ? [] : nil)
                    #expect((answer.status != 405) == known.contains(method), "\(method) \(name): \(answer.status)")
                    if answer.status == 405 {
                        #expect(answer.headers["allow"] == known.sorted().joined(separator: ", "))
                    }
                }
            }
        }
    }

    @Test("operations have names of their own, a summary and a schema for what they give")
    func described() async throws {
        try await withGateway { gateway, _ in
            let document = try await gateway.client.get("/openapi.json")
            let operations = try #require(document["paths"]).members.flatMap(\.value.members).map(\.value)
            let names = operations.compactMap { $0["operationId"]?.string }
            #expect(Set(names).count == operations.count)
            for operation in operations {
                #expect(operation["summary"]?.string?.isEmpty == false)
                #expect(operation["responses"]?["default"] != nil)
            }
            let components = Set(
                try #require(document["components"]?["schemas"]).members.compactMap { member in
                    member.value.kind == .object ? member.name : nil
                })
            // What is referred to is there.
            for match in document.text.matches(of: ##/"#/components/schemas/([A-Za-z]+)"/##) {
                #expect(components.contains(String(match.1)), "\(match.1)")
            }
        }
    }
}
