import Envelopes
import Foundation
import Settings
import Telemetry
import TestSupport
import Testing
import Transports

@testable import Gateways

/// What the gateway leaves in traces, at a real collector.
@Suite("traces", .serialized)
struct TraceTests {
    static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    static let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

    /// - Returns: the spans that the gateway has exported when it has stopped, by name.
    private func spans(
        _ environment: [String: String] = [:], _ body: (TestGateway) async throws -> Void
    ) async throws -> [String: [RawJSON]] {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("TelemetryTests/collector.py")
        let collector = try ScriptServer(script)
        let port = try #require(Int(collector.words[0]))
        var settings = Settings(
            environment: environment.merging(["OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:\(port)"]) { $1 })
        let traces = TraceSettings(&settings, service: "troupe-gateway")
        try await withGateway {
            $0.traces = traces
        } _: { gateway, _ in
            try await body(gateway)
        }
        let requests = try RawJSON(try await TestClient(port: port).get("/requests").body).elements
        let spans = try requests.flatMap { request in
            try RawJSON(Array((request["body"]?.string ?? "").utf8))["resourceSpans"]?.elements.flatMap {
                ($0["scopeSpans"]?.elements ?? []).flatMap { $0["spans"]?.elements ?? [] }
            } ?? []
        }
        return Dictionary(grouping: spans) { $0["name"]?.string ?? "" }
    }

    private func attribute(_ name: String, _ span: RawJSON?) -> String? {
        let value = span?["attributes"]?.elements.first { $0["key"]?.string == name }?["value"]
        return value?["stringValue"]?.string ?? value?["intValue"]?.string
    }

    private func headers(_ id: String, _ gateway: TestGateway) async throws -> Headers {
        try await eventually("\(id) is published") { !gateway.transport.messages(of: id).isEmpty }
        return try Envelope(parsing: Array(gateway.transport.messages(of: id)[0].utf8)).headers
    }

    @Test("a submission is a server span below the caller, its publishing a producer span below that")
    func submission() async throws {
        var sent: TraceParent?
        let spans = try await spans { gateway in
            let answer = try await gateway.client.post(
                "/envelopes", #"{"id":"e","route":{"actors":["a"]},"headers":{"h":1e400},"payload":1.50,"more":1}"#,
                headers: ["traceparent": Self.parent, "tracestate": "x=1,y=2", "baggage": "k=v"])
            #expect(answer.status == 202)
            let headers = try await headers("e", gateway)
            sent = headers.traceparent
            #expect(headers["tracestate"]?.string == "x=1,y=2" && headers["baggage"]?.string == "k=v")
            #expect(headers["h"]?.description == "1e400")
            #expect(gateway.transport.messages(of: "e")[0].contains(#""payload":1.50"#))
            _ = try await gateway.client.get("/envelopes/e", headers: ["traceparent": Self.parent])
        }
        #expect(Set(spans.keys) == ["POST /envelopes", "publish troupe:a"])
        let server = try #require(spans["POST /envelopes"]?.first)
        let producer = try #require(spans["publish troupe:a"]?.first)
        #expect(server["parentSpanId"]?.string == "b7ad6b7169203331" && server["kind"]?.integer == 2)
        #expect(attribute("http.response.status_code", server) == "202")
        #expect(producer["parentSpanId"]?.string == server["spanId"]?.string && producer["kind"]?.integer == 4)
        #expect(producer["spanId"]?.string == sent?.spanID)
        #expect(Set([server, producer].map { $0["traceId"]?.string }) == [sent?.traceID])
        #expect(attribute("messaging.message.id", producer) == "e")
        #expect(attribute("messaging.destination.name", producer) == "troupe:a")
    }

    @Test("what the caller doesn't sample is not exported, and travels on as it is")
    func notSampled() async throws {
        let spans = try await spans { gateway in
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            _ = try await gateway.client.post("/envelopes", body, headers: ["traceparent": Self.unsampled])
            #expect(try await headers("e", gateway)["traceparent"]?.string == Self.unsampled)
        }
        #expect(spans.isEmpty)
    }

    @Test("a trace that begins here and isn't sampled says so to all that come after")
    func samplerIsOff() async throws {
        let spans = try await spans(["OTEL_TRACES_SAMPLER": "always_off"]) { gateway in
            _ = try await gateway.client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#)
            #expect(try await headers("e", gateway).traceparent?.isSampled == false)
        }
        #expect(spans.isEmpty)
    }

    @Test("a call over MCP is a span below what its _meta says")
    func mcp() async throws {
        var sent: Headers?
        let spans = try await spans { gateway in
            let mcp = MCPTestClient.stateless(gateway.client)
            let arguments = #"{"name":"troupe_submit","arguments":{"id":"e","route":["a"],"payload":1}}"#
            let meta = #""traceparent":"\#(Self.parent)","tracestate":"x=1","baggage":"k=v""#
            let answer = try await mcp.request("tools/call", arguments, meta: meta)
            #expect(answer.status == 200)
            let id = try #require(gateway.transport.published.first?.id)
            sent = try await headers(id, gateway)
            let unknown = #"{"name":"secret name","arguments":{}}"#
            _ = try await mcp.request("tools/call", unknown, meta: meta)
            let metrics = try await gateway.client.get("/metrics").text
            #expect(metrics.contains(#"troupe_gateway_mcp_requests_total{method="tools/call",outcome="ok"} 1"#))
            #expect(metrics.contains(#"troupe_gateway_mcp_requests_total{method="tools/call",outcome="error"} 1"#))
        }
        let server = try #require(spans["tools/call troupe_submit"]?.first)
        #expect(server["parentSpanId"]?.string == "b7ad6b7169203331" && server["status"] == nil)
        let producer = try #require(spans["publish troupe:a"]?.first)
        #expect(producer["parentSpanId"]?.string == server["spanId"]?.string)
        #expect(producer["spanId"]?.string == sent?.traceparent?.spanID)
        #expect(sent?["tracestate"]?.string == "x=1" && sent?["baggage"]?.string == "k=v")
        let failed = try #require(spans["tools/call"]?.first)
        #expect(failed["status"]?["code"]?.integer == 2 && attribute("error.type", failed) == "-32602")
    }

    @Test("each try to publish is a span, the one that worked is the parent of what follows")
    func publishFails() async throws {
        var sent: TraceParent?
        let spans = try await spans { gateway in
            gateway.transport.fail(with: TransportError(.refused, "for the test"))
            _ = try await gateway.client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#)
            try await eventually("a try has failed") {
                try await gateway.client.get("/metrics").text.contains(
                    #"outbox_failures_total{reason="refused"} 1"#)
            }
            gateway.transport.fail(with: nil)
            sent = try await headers("e", gateway).traceparent
        }
        let tries = try #require(spans["publish troupe:a"])
        let failed = tries.filter { $0["status"]?["code"]?.integer == 2 }
        #expect(tries.count == failed.count + 1 && failed.count >= 1)
        #expect(failed.allSatisfy { attribute("error.type", $0) == "refused" })
        #expect(Set(tries.map { $0["spanId"]?.string }).count == tries.count)
        #expect(Set(tries.map { $0["parentSpanId"]?.string }).count == 1)
        #expect(tries.first { $0["status"] == nil }?["spanId"]?.string == sent?.spanID)
    }

    @Test("without a collector the caller's trace travels on as it is, and its request keeps its name")
    func off() async throws {
        try await withGateway { gateway, _ in
            let body = #"{"id":"e","route":{"actors":["a"]},"payload":1}"#
            let answer = try await gateway.client.post(
                "/envelopes", body,
                headers: ["traceparent": Self.parent, "tracestate": "x=1", "X-Request-Id": "request:7"])
            #expect(answer.headers["x-request-id"] == "request:7")
            let headers = try await headers("e", gateway)
            #expect(headers["traceparent"]?.string == Self.parent && headers["tracestate"]?.string == "x=1")
            for strange in ["a b", String(repeating: "x", count: 129), "\"}"] {
                let own = try await gateway.client.get("/health", headers: ["X-Request-Id": strange])
                #expect(own.headers["x-request-id"]?.count == 16)
            }
            #expect(try await gateway.client.get("/nowhere").headers["x-request-id"]?.count == 16)
        }
    }

    @Test("metrics tell how far behind the reports are, and how long connections are waited for")
    func metrics() async throws {
        try await withGateway { gateway, _ in
            _ = try await gateway.client.post("/envelopes", #"{"id":"e","route":{"actors":["a"]},"payload":1}"#)
            let envelope = try Envelope(parsing: Array(#"{"id":"e","route":{"actors":["a"]},"payload":1}"#.utf8))
            var report = StatusReport(.progress, of: envelope, eventID: "1", status: "received")
            report.timestamp = Timestamp.now(plus: .seconds(-20))
            gateway.transport.report(report)
            try await eventually("the report is written") { gateway.transport.acknowledgedCount == 1 }
            let text = try await gateway.client.get("/metrics").text
            #expect(text.contains(#"troupe_gateway_report_ingest_lag_seconds_bucket{le="10.0"} 0"#))
            #expect(text.contains(#"troupe_gateway_report_ingest_lag_seconds_bucket{le="30.0"} 1"#))
            #expect(!text.contains("troupe_gateway_database_wait_seconds_count 0"))
            for gauge in ["status_reports_waiting", "mcp_sessions", "mcp_streams"] {
                #expect(text.contains("troupe_gateway_\(gauge) 0"), "\(gauge)")
            }
            #expect(!text.contains("trace_spans_total"))
        }
    }
}
