public import ActorKit

/// An actor of a pipeline under test.
public struct TestActor: Sendable {
    enum Source: Sendable {
        case inProcess(LoadedHandler)
        case command([String], environment: [String: String])
    }

    let source: Source

    /// A handler in the test's own process, behind its socket as ever.
    public static func handler(_ handler: some Handler) -> TestActor {
        .init(source: .inProcess(LoadedHandler(handler)))
    }

    public static func handler(_ handler: some RawHandler) -> TestActor {
        .init(source: .inProcess(LoadedHandler(handler)))
    }

    public static func handler(_ handler: some EnvelopeHandler) -> TestActor {
        .init(source: .inProcess(LoadedHandler(handler)))
    }

    public static func handler(_ handler: some RawEnvelopeHandler) -> TestActor {
        .init(source: .inProcess(LoadedHandler(handler)))
    }

    /// A handler of any language: a program that serves the socket in `TROUPE_SOCKET_DIR`, for instance
    /// `["python3", "troupe_runtime.py"]` with `TROUPE_HANDLER` in its environment. What it writes is shown.
    /// - Parameter environment: besides the test's own.
    public static func command(_ words: [String], environment: [String: String] = [:]) -> TestActor {
        .init(source: .command(words, environment: environment))
    }
}
