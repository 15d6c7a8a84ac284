internal import ActorKit
internal import HTTPClient
internal import Settings

/// Where closed envelopes are kept.
struct CrewSettings: Sendable, Hashable {
    enum Storage: Sendable, Hashable {
        /// `TROUPE_RESULTS_DIR`
        case folder(String)
        /// `TROUPE_S3_BUCKET`, `_ENDPOINT`, `_ACCESS_KEY`, `_SECRET_KEY`, `AWS_REGION`
        case s3(S3Location)
        /// Neither is set: the status that the sidecar reports is all that remains.
        case nowhere
    }

    var storage: Storage
    /// `TROUPE_S3_RESULTS_PREFIX` or `TROUPE_S3_ERRORS_PREFIX`: what keys begin with.
    var prefix: String

    /// - Throws: `StartError` with every wrong setting.
    init(_ role: EndRole, environment: [String: String]) throws(StartError) {
        var settings = Settings(environment: environment)
        prefix =
            switch role {
            case .happyEnd: Self.prefix(&settings, "S3_RESULTS_PREFIX", default: "happy-end/")
            case .errorEnd: Self.prefix(&settings, "S3_ERRORS_PREFIX", default: "error-end/")
            }
        let folder = settings.text("RESULTS_DIR")
        let bucket = settings.text("S3_BUCKET")
        switch (folder, bucket) {
        case (let folder?, nil): storage = .folder(folder)
        case (nil, let bucket?): storage = .s3(Self.location(&settings, bucket))
        case (nil, nil): storage = .nowhere
        case (_?, _?):
            storage = .nowhere
            settings.problem("TROUPE_RESULTS_DIR", "is set, and so is TROUPE_S3_BUCKET: results are kept in one place")
        }
        guard settings.problems.isEmpty else { throw StartError(settings.problems) }
    }

    private static func prefix(_ settings: inout Settings, _ name: String, default value: String) -> String {
        let prefix = settings.text(name, default: value)
        // Empty parts and dots would lead out of the folder, or to keys that many S3 tools can't reach.
        let folders = prefix.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        if folders.contains(where: { ["", ".", ".."].contains($0) }) || prefix.utf8.contains(where: { $0 < 0x20 }) {
            settings.problem("TROUPE_\(name)", "'\(prefix)' must be folders within each other, such as results/happy/")
        }
        return prefix
    }

    private static func location(_ settings: inout Settings, _ bucket: String) -> S3Location {
        if !(3...63).contains(bucket.utf8.count) || !bucket.utf8.allSatisfy(\.isInBucketNames) {
            settings.problem("TROUPE_S3_BUCKET", "'\(bucket)' is no bucket name: 3 to 63 of a-z, 0-9, '.' and '-'")
        }
        let region = settings.foreign("AWS_REGION") ?? settings.foreign("AWS_DEFAULT_REGION") ?? "us-east-1"
        var endpoint = settings.text("S3_ENDPOINT", default: "https://s3.\(region).amazonaws.com")
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        let host = endpoint.split(separator: "://", maxSplits: 1).last ?? ""
        let isHTTP = endpoint.hasPrefix("http://") || endpoint.hasPrefix("https://")
        if !isHTTP || host.isEmpty || host.contains(where: { "/?#@".contains($0) || $0.isWhitespace }) {
            settings.problem(
                "TROUPE_S3_ENDPOINT",
                "must be http:// or https://, a host and perhaps a port, such as http://minio:9000")
        }
        return S3Location(
            endpoint: endpoint, bucket: bucket, region: region,
            accessKey: secret(&settings, "S3_ACCESS_KEY", or: "AWS_ACCESS_KEY_ID"),
            secretKey: secret(&settings, "S3_SECRET_KEY", or: "AWS_SECRET_ACCESS_KEY"),
            sessionToken: settings.foreign("AWS_SESSION_TOKEN"))
    }

    private static func secret(_ settings: inout Settings, _ name: String, or other: String) -> String {
        settings.text(name) ?? settings.foreign(other)
            ?? settings.required(name, "or \(other): TROUPE_S3_BUCKET is set")
    }
}

extension UInt8 {
    fileprivate var isInBucketNames: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
