// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// Tests import freely: nobody links against them.
let testSettings: [SwiftSetting] = [.enableUpcomingFeature("ExistentialAny"), .treatAllWarnings(as: .error)]

/// A library of ours under `Sources/`.
/// - Parameter isOnLoops: its actors live on event loops: what belongs to no actor stays with its caller, instead of
///   leaving the loop's thread and coming back.
func room(_ name: String, _ dependencies: [Target.Dependency], isOnLoops: Bool = false) -> Target {
    let loopSettings: [SwiftSetting] = isOnLoops ? [.enableUpcomingFeature("NonisolatedNonsendingByDefault")] : []
    return .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings + loopSettings)
}

/// The tests of a room, in `Tests/<room>Tests`.
func tests(_ room: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
    .testTarget(
        name: "\(room)Tests", dependencies: [.byName(name: room), "TestSupport"] + dependencies, resources: resources,
        swiftSettings: testSettings)
}

let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let jwt = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")

let package = Package(
    name: "troupe",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "ActorKit", targets: ["ActorKit"]),
        .library(name: "TroupeTesting", targets: ["TroupeTesting"]),
        .executable(name: "troupe", targets: ["troupe"]),
        .executable(name: "troupe-sidecar", targets: ["troupe-sidecar"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // C libraries, nothing else in them.
        .systemLibrary(name: "CEpoll"),
        .systemLibrary(name: "CRabbitMQ", pkgConfig: "librabbitmq", providers: [.apt(["librabbitmq-dev"])]),
        .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        // libcurl4-openssl-dev's header; the library is loaded when it is needed.
        .target(name: "CCurl"),

        // The wire, and what touches the machine. Imports point down this list only.
        room("Envelopes", []),
        room("EventLoops", ["CEpoll", heap], isOnLoops: true),
        room("AMQP", ["CRabbitMQ", "CEpoll", "EventLoops", deque], isOnLoops: true),
        room("Settings", ["CEpoll"]),
        room("PostgreSQL", ["CPostgreSQL", "EventLoops", "Settings", deque]),
        room("SQLite", [grdb]),
        room("HTTPClient", ["CCurl", "EventLoops"]),
        room("Faults", ["Envelopes", "EventLoops", "Settings"]),
        room("Telemetry", ["Envelopes", "EventLoops", "HTTPClient", "Settings", "CEpoll", log]),
        room("Transports", ["AMQP", "Envelopes", "EventLoops", "Settings", log], isOnLoops: true),
        room(
            "EmbeddedTransports", ["Envelopes", "EventLoops", "SQLite", "Transports", grdb, heap, log], isOnLoops: true),

        // The framework.
        room(
            "Sidecars",
            [
                "Envelopes", "EventLoops", "Faults", "Transports", "Telemetry", "Settings", "HTTPClient", "CEpoll",
                deque, log,
            ], isOnLoops: true),
        room("ActorKit", ["Envelopes", "EventLoops", "Settings", "CEpoll"]),
        room(
            "Crew",
            ["ActorKit", "Envelopes", "EventLoops", "HTTPClient", "PostgreSQL", "SQLite", "Settings", crypto, grdb]),
        room(
            "Gateways",
            [
                "Envelopes", "EventLoops", "Faults", "HTTPClient", "Transports", "Telemetry", "PostgreSQL", "SQLite",
                "Settings", crypto, grdb, hummingbird, hummingbirdTLS, jwt, lifecycle, yams, log,
            ]),
        room("Projects", ["Gateways", "Settings", "Sidecars", yams]),
        room(
            "Dev",
            [
                "AMQP", "CEpoll", "EmbeddedTransports", "Envelopes", "EventLoops", "Gateways", "Projects", "SQLite",
                "Settings", "Sidecars", "Transports", lifecycle, log,
            ]),

        // For those who write handlers: whole pipelines in their own tests.
        room(
            "TroupeTesting",
            [
                "ActorKit", "EmbeddedTransports", "Envelopes", "EventLoops", "SQLite", "Settings", "Sidecars",
                "Transports", log,
            ]),

        .executableTarget(
            name: "troupe-sidecar", dependencies: ["Settings", "Sidecars"], swiftSettings: swiftSettings,
            // 0.7 MiB of relocations that every process would read become 5 KiB (glibc 2.36 and later).
            linkerSettings: [
                .unsafeFlags(
                    ["-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs"],
                    .when(platforms: [.linux], configuration: .release))
            ]),
        .executableTarget(
            name: "troupe",
            dependencies: [
                "Crew", "Dev", "Envelopes", "EventLoops", "Gateways", "HTTPClient", "Projects", "Settings", arguments,
                log,
                signals,
            ],
            swiftSettings: swiftSettings),

        // Handlers that show how it's done.
        .executableTarget(
            name: "summary", dependencies: ["ActorKit"], path: "actors/summary",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "bench-echo", dependencies: ["ActorKit"], path: "bench/handlers/swift", swiftSettings: swiftSettings),
        .executableTarget(
            name: "conformance-actor", dependencies: ["ActorKit"], path: "Tests/RuntimeConformance/SwiftActor",
            swiftSettings: swiftSettings),

        .target(
            name: "TestSupport", dependencies: ["EventLoops", "PostgreSQL"], path: "Tests/Support",
            swiftSettings: testSettings),
        tests("Envelopes"),
        tests("EventLoops"),
        tests("AMQP", ["CRabbitMQ", "EventLoops"], resources: [.copy("broker.py")]),
        tests("PostgreSQL"),
        tests("SQLite", [grdb]),
        tests("Settings"),
        tests("Faults", ["Envelopes", "EventLoops", "Settings"]),
        tests("TroupeTesting", ["ActorKit", "Envelopes"]),
        tests("HTTPClient", ["EventLoops"], resources: [.copy("server.py")]),
        tests(
            "Telemetry", ["Envelopes", "EventLoops", "HTTPClient", "Settings", log], resources: [.copy("collector.py")]),
        // What every transport must do.
        .target(
            name: "TransportConformance", dependencies: ["Envelopes", "TestSupport", "Transports"],
            path: "Tests/TransportConformance", swiftSettings: testSettings),
        tests("Transports", ["AMQP", "Envelopes", "EventLoops", "TransportConformance", log]),
        .executableTarget(
            name: "embedded-trial", dependencies: ["EmbeddedTransports", "SQLite", log],
            path: "Tests/EmbeddedTrial", swiftSettings: testSettings),
        tests(
            "EmbeddedTransports",
            [
                "embedded-trial", "Envelopes", "EventLoops", "Settings", "Sidecars", "SQLite", "Telemetry",
                "Faults", "TransportConformance", "Transports", grdb, log,
            ]),
        tests("Sidecars", ["Envelopes", "EventLoops", "Faults", "Settings", "Telemetry", "Transports", "AMQP", log]),
        tests("ActorKit", ["Envelopes", "EventLoops"]),
        tests(
            "Crew",
            [
                "ActorKit", "EventLoops", "HTTPClient", "PostgreSQL", "SQLite", "Transports", "AMQP", crypto, grdb, log,
            ],
            resources: [
                .copy("botocore_signatures.json"), .copy("botocore_signer.py"), .copy("failing_s3.py"),
            ]),
        tests("Projects", ["Gateways"]),
        tests("Dev", ["EventLoops", "Gateways", "Projects", log]),
        tests(
            "Gateways",
            [
                "AMQP", "EmbeddedTransports", "Envelopes", "EventLoops", "Faults", "HTTPClient", "PostgreSQL", "SQLite",
                "Settings",
                "Sidecars", "Telemetry", "Transports", "troupe", crypto, cryptoExtras, grdb, jwt, log,
            ]),
        tests("troupe", ["Envelopes", "EventLoops", "Gateways", "HTTPClient"]),
    ],
    swiftLanguageModes: [.v6]
)
