import Envelopes
import EventLoops
import Foundation
import HTTPClient
import Logging
import Settings
import Synchronization
import TestSupport
import Testing

@testable import Telemetry

/// The exporter against a collector that is another program, and misbehaves when asked to.
struct SpanExporterTests {
    private let loop = EventLoop(name: "spans")
    private let metrics = MetricsRegistry(namespace: "t")
    private let lines = Lines()

    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private struct Handler: LogHandler {
        let lines: Lines
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) { lines.all.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") } }
    }

    private func exporter(to endpoint: String, _ more: [String: String] = [:]) throws -> SpanExporter {
        var settings = Settings(environment: more.merging(["OTEL_EXPORTER_OTLP_ENDPOINT": endpoint]) { $1 })
        let traces = try #require(TraceSettings(&settings, service: "split"))
        let lines = lines
        return SpanExporter(
            traces, on: loop, metrics: metrics, logger: Logger(label: "t") { _ in Handler(lines: lines) })
    }

    private func counted(_ outcome: String) -> Int {
        metrics.counter("trace_spans_total", "", ["outcome": outcome]).value
    }

    private struct Collector {
        let script: ScriptServer
        var endpoint: String { "http://127.0.0.1:\(script.words[0])" }

        init() throws {
            script = try ScriptServer(Bundle.module.url(forResource: "collector", withExtension: "py"))
        }

        func requests() async throws -> [RawJSON] {
            let client = HTTPClient(on: EventLoop(name: "ask"))
            let response = try await client.send(HTTPRequest(.get, endpoint + "/requests"))
            return try RawJSON(response.body).elements
        }

        /// Of all requests, as they were sent.
        func spans() async throws -> [RawJSON] {
            try await requests().flatMap { request in
                try RawJSON(Array((request["body"]?.string ?? "").utf8))["resourceSpans"]?.elements.flatMap {
                    ($0["scopeSpans"]?.elements ?? []).flatMap { $0["spans"]?.elements ?? [] }
                } ?? []
            }
        }
    }

    private func span(_ name: String = "s") -> Span { Span(name, .internal, .random(), below: nil, since: .now) }

    @Test func sendsWhatTheProtocolAsksFor() async throws {
        let collector = try Collector()
        let exporter = try exporter(to: collector.endpoint, ["OTEL_EXPORTER_OTLP_HEADERS": "x-key=k"])
        let parent = TraceParent.random()
        let link = TraceParent.random()
        var span = Span(
            "publish \"x\"", .producer, parent.child(), below: parent,
            since: MonotonicTime.now.advanced(by: .milliseconds(-20)),
            ["messaging.message.id": "e", "messaging.message.body.size": 7], error: "unroutable")
        span.links = [link]
        exporter.tracer.record(span)
        exporter.tracer.record(self.span("root"))
        await exporter.shutdown(within: .seconds(5))
        #expect(counted("exported") == 2 && counted("dropped") == 0)

        let requests = try await collector.requests()
        let request = try #require(requests.first)
        #expect(requests.count == 1 && request["path"]?.string == "/v1/traces")
        #expect(request["headers"]?["Content-Type"]?.string == "application/json")
        #expect(request["headers"]?["x-key"]?.string == "k")
        let body = try RawJSON(Array((request["body"]?.string ?? "").utf8))
        let resource = body["resourceSpans"]?.elements.first?["resource"]
        let names = resource?["attributes"]?.elements.compactMap { $0["key"]?.string }
        #expect(names == ["service.instance.id", "service.name", "telemetry.sdk.language", "telemetry.sdk.name"])
        let spans = try await collector.spans()
        #expect(spans.count == 2)
        #expect(
            spans[0].description == """
                {"traceId":"\(parent.traceID)","spanId":"\(span.context.spanID)","parentSpanId":"\(parent.spanID)",\
                "flags":1,"name":"publish \\"x\\"","kind":4,"startTimeUnixNano":"\(span.start)",\
                "endTimeUnixNano":"\(span.end)","attributes":[{"key":"error.type","value":{"stringValue":"unroutable"}},\
                {"key":"messaging.message.body.size","value":{"intValue":"7"}},\
                {"key":"messaging.message.id","value":{"stringValue":"e"}}],\
                "links":[{"traceId":"\(link.traceID)","spanId":"\(link.spanID)"}],"status":{"code":2}}
                """)
        #expect(span.end - span.start >= 20_000_000)
        #expect(spans[1]["parentSpanId"] == nil && spans[1]["status"] == nil)
    }

    @Test func aBusyCollectorGetsTheBatchAgain() async throws {
        let collector = try Collector()
        let exporter = try exporter(to: collector.endpoint + "/busy/2")
        exporter.tracer.record(span())
        await exporter.shutdown(within: .seconds(10))
        #expect(try await collector.requests().count == 3)
        #expect(counted("exported") == 1 && counted("dropped") == 0)
        let lines = lines.all.withLock { $0 }
        #expect(lines.count == 2 && lines[0].contains("status 503") && lines[1].contains("again"))
    }

    @Test func aCollectorThatRefusesIsNotAskedAgain() async throws {
        let collector = try Collector()
        let exporter = try exporter(to: collector.endpoint + "/refuse")
        for _ in 0..<(3 * SpanBatches.batchSize) { exporter.tracer.record(span()) }
        await exporter.shutdown(within: .seconds(10))
        #expect(try await collector.requests().count == 3)
        #expect(counted("exported") == 0 && counted("dropped") == 3 * SpanBatches.batchSize)
        #expect(lines.all.withLock(\.count) == 1, "said once")
    }

    @Test func whatTheCollectorRejectsIsCounted() async throws {
        let collector = try Collector()
        let exporter = try exporter(to: collector.endpoint + "/partial/2")
        for _ in 0..<5 { exporter.tracer.record(span()) }
        await exporter.shutdown(within: .seconds(5))
        #expect(counted("exported") == 3 && counted("dropped") == 2)
    }

    /// Neither whoever records nor the end waits for it, and memory stays bounded.
    @Test(arguments: ["hang", "away"])
    func aCollectorThatHangsOrIsAwayCostsOnlySpans(_ kind: String) async throws {
        let collector = try Collector()
        let exporter = try exporter(to: kind == "hang" ? collector.endpoint + "/hang" : "http://127.0.0.1:9")
        let start = MonotonicTime.now
        let count = 20_000
        for _ in 0..<count { exporter.tracer.record(span()) }
        #expect(start.duration(to: .now) < .seconds(5))
        await exporter.shutdown(within: .milliseconds(300))
        #expect(start.duration(to: .now) < .seconds(6))
        #expect(counted("dropped") >= count - SpanBatches.capacity - SpanBatches.batchSize)
        #expect(counted("exported") == 0)
        #expect(lines.all.withLock(\.count) <= 1)
    }

    @Test func spansThatComeFromManyThreadsAllArrive() async throws {
        let collector = try Collector()
        let exporter = try exporter(to: collector.endpoint)
        let (tracer, loop) = (exporter.tracer, loop)
        await withDiscardingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<200 { tracer.record(Span("s", .internal, .random(), below: nil, since: .now)) }
                }
                group.addTask(executorPreference: loop) {
                    tracer.record(Span("l", .internal, .random(), below: nil, since: .now))
                }
            }
        }
        await exporter.shutdown(within: .seconds(10))
        #expect(counted("exported") == 1608 && counted("dropped") == 0)
        #expect(try await collector.spans().count == 1608)
    }
}
