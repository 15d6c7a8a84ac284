import Envelopes
import Settings
import Synchronization
import Testing

@testable import Telemetry

struct TraceSettingsTests {
    private func read(_ environment: [String: String]) -> (TraceSettings?, [String]) {
        var settings = Settings(environment: environment)
        let traces = TraceSettings(&settings, service: "split")
        return (traces, settings.problems.map(\.description))
    }

    @Test func offUnlessAnEndpointIsNamed() {
        #expect(read([:]).0 == nil)
        #expect(read(["OTEL_SERVICE_NAME": "x"]).0 == nil)
        #expect(read(["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"]).0 == nil)
    }

    @Test func endpointsAsOpenTelemetryHasThem() {
        #expect(read(["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"]).0?.endpoint == "http://c:4318/v1/traces")
        #expect(read(["OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp/"]).0?.endpoint == "https://c/otlp/v1/traces")
        let both = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t/here"]
        #expect(read(both).0?.endpoint == "http://t/here")
        let (none, problems) = read(["OTEL_EXPORTER_OTLP_ENDPOINT": "c:4318"])
        #expect(none == nil && problems.count == 1 && problems[0].hasPrefix("OTEL_EXPORTER_OTLP_ENDPOINT: must begin"))
    }

    @Test func headersAndResource() throws {
        let environment = [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20a%3D%3D, x-scope = 7",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.name=given",
        ]
        let traces = try #require(read(environment).0)
        #expect(traces.headers.map(\.name) == ["authorization", "x-scope"])
        #expect(traces.headers.map(\.value) == ["Basic a==", "7"])
        #expect(traces.resource == ["deployment.environment.name": "test", "service.name": "given"])
        #expect(read(environment.merging(["OTEL_SERVICE_NAME": "own"]) { $1 }).0?.resource["service.name"] == "own")
        #expect(read(["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"]).0?.resource == ["service.name": "split"])
        for wrong in ["s3cret", "=s3cret", "a=s3cret%2", "a=%-1s3cret"] {
            let (_, problems) = read(["OTEL_EXPORTER_OTLP_HEADERS": wrong])
            #expect(problems.count == 1 && !problems[0].contains("s3cret"))
        }
    }

    @Test(arguments: [
        ("always_on", 1.0), ("parentbased_always_on", 1), ("always_off", 0), ("parentbased_traceidratio", 0.25),
        ("traceidratio", 0.25),
    ])
    func samplers(_ name: String, _ ratio: Double) {
        let environment = [
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": "0.25",
        ]
        #expect(read(environment).0?.samplingRatio == ratio)
        #expect(read(environment.merging(["OTEL_TRACES_SAMPLER": "xray"]) { $1 }).1.count == 1)
        let wrong = environment.merging(["OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"]) { $1 }
        #expect(read(wrong).1.count == 1)
    }

    @Test func aCallersDecisionCounts() throws {
        let sampled = try #require(TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        let unsampled = try #require(TraceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"))
        for ratio in [0.0, 1] {
            let spans = Mutex<[Span]>([])
            let tracer = Tracer(samplingRatio: ratio) { span in spans.withLock { $0.append(span) } }
            let child = try #require(tracer.context(below: sampled))
            #expect(child.traceID == sampled.traceID && child.spanID != sampled.spanID && child.isSampled)
            #expect(tracer.context(below: unsampled) == nil)
            let root = try #require(tracer.context(below: nil))
            #expect(root.isSampled == (ratio == 1))
            tracer.record(Span("s", .internal, root, below: nil, since: .now))
            #expect(spans.withLock(\.count) == Int(ratio))
        }
    }
}
