internal import HTTPClient
public import Settings

/// Where spans go, by the names that OpenTelemetry has given these settings.
public struct TraceSettings: Sendable {
    /// `http` or `https`, with its path.
    var endpoint: String
    /// They may hold secrets: never to be logged.
    var headers: [(name: String, value: String)]
    /// A PEM file to trust instead of the system's authorities.
    var certificateAuthorities: String?
    /// Who sends them: `service.name` and the like.
    var resource: [String: String]
    /// 0...1, of traces that begin here.
    var samplingRatio: Double

    /// `nil` where nothing is exported, which is so unless an endpoint is named.
    /// - Parameter service: the name of this process, unless the settings have one.
    public init?(_ settings: inout Settings, service: String) {
        let endpoint = Self.endpoint(&settings)
        let headers = Self.pairs("OTEL_EXPORTER_OTLP_HEADERS", &settings)
        certificateAuthorities = settings.foreign("OTEL_EXPORTER_OTLP_CERTIFICATE")
        var resource = Self.pairs("OTEL_RESOURCE_ATTRIBUTES", &settings).reduce(into: [:]) { $0[$1.name] = $1.value }
        if let name = settings.foreign("OTEL_SERVICE_NAME") ?? resource["service.name"] ?? Optional(service) {
            resource["service.name"] = name
        }
        samplingRatio = Self.samplingRatio(&settings)
        let isDisabled = settings.foreign("OTEL_SDK_DISABLED")?.lowercased() == "true"
        guard let endpoint, !isDisabled else { return nil }
        self.endpoint = endpoint
        self.headers = headers
        self.resource = resource
    }

    private static func endpoint(_ settings: inout Settings) -> String? {
        for (name, path) in [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces")]
        {
            guard let url = settings.foreign(name) else { continue }
            guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
                settings.problem(name, "must begin with http:// or https://, as in http://localhost:4318")
                return nil
            }
            return path.isEmpty ? url : (url.hasSuffix("/") ? String(url.dropLast()) : url) + path
        }
        return nil
    }

    /// Whatever the sampler, a caller's decision counts: `parentbased_` before its name changes nothing.
    private static func samplingRatio(_ settings: inout Settings) -> Double {
        let sampler = settings.foreign("OTEL_TRACES_SAMPLER") ?? "parentbased_always_on"
        switch sampler.hasPrefix("parentbased_") ? String(sampler.dropFirst(12)) : sampler {
        case "always_on": return 1
        case "always_off": return 0
        case "traceidratio":
            guard let text = settings.foreign("OTEL_TRACES_SAMPLER_ARG") else { return 1 }
            guard let ratio = Double(text), (0...1).contains(ratio) else {
                settings.problem("OTEL_TRACES_SAMPLER_ARG", "'\(text)' is no number from 0 to 1")
                return 1
            }
            return ratio
        default:
            settings.problem(
                "OTEL_TRACES_SAMPLER",
                "'\(sampler)' is none of: always_on, always_off, traceidratio, and these behind parentbased_")
            return 1
        }
    }

    /// `name=value,name=value`, values percent-encoded.
    private static func pairs(_ setting: String, _ settings: inout Settings) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        for part in (settings.foreign(setting) ?? "").split(separator: ",") {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, let value = String(halves[1]).trimmed.percentDecoded,
                !String(halves[0]).trimmed.isEmpty
            else {
                // Quoting it might show a secret.
                settings.problem(setting, "part \(pairs.count + 1) is not written name=value, percent-encoded")
                return []
            }
            pairs.append((String(halves[0]).trimmed, value))
        }
        return pairs
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
