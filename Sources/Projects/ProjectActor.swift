/// One actor of a project.
public struct ProjectActor: Sendable, Hashable {
    public var name: String
    public var handler: Handler
    public var replicas: Replicas
    /// What its sidecar and its runtime are told, by the names of `docs/settings.md`.
    public var settings: [String: String]
    /// For the handler's process. Values may be secrets.
    public var environment: [String: String]
    /// Files and folders besides the handler's own that restart it when they change, relative to the project.
    public var watched: [String]
    /// Where its handler runs, if that is another project's folder.
    public var home: Home?

    public init(
        name: String, handler: Handler, replicas: Replicas = .fixed(1), settings: [String: String] = [:],
        environment: [String: String] = [:], watched: [String] = [], home: Home? = nil
    ) {
        self.name = name
        self.handler = handler
        self.replicas = replicas
        self.settings = settings
        self.environment = environment
        self.watched = watched
        self.home = home
    }

    public enum Handler: Sendable, Hashable {
        case python(PythonHandler)
        /// A program that serves the socket protocol, with its arguments.
        case command([String])
        /// An executable target of a Swift package; `package` is relative to the project.
        case swift(package: String, product: String)
    }

    public enum Replicas: Sendable, Hashable {
        case fixed(Int)
        case scaled(Scale)
    }
}

/// A function in Python.
public struct PythonHandler: Sendable, Hashable {
    /// As Python imports it: `handlers.split`. For `module.Class.method` without a file, as much as is named before the last dot.
    public var module: String
    /// `process`, or `Class.process`.
    public var function: String
    /// Relative to the project; `nil` where only Python knows.
    public var file: String?

    public init(module: String, function: String, file: String?) {
        self.module = module
        self.function = function
        self.file = file
    }

    /// As the runtime takes it.
    public var path: String { "\(module).\(function)" }
}

/// How many replicas an actor has, by the length of its queue: what KEDA does in a cluster.
public struct Scale: Sendable, Hashable {
    public var minimum: Int
    public var maximum: Int
    /// Messages for each replica.
    public var queueLength: Int
    /// How long there must be no message before the last replica goes.
    public var cooldown: Duration
    /// In which the number at most doubles, or grows by 4, and at most halves.
    public var period: Duration
    /// The number sinks only to the highest that was wanted in this time.
    public var stabilization: Duration

    public init(
        minimum: Int = 0, maximum: Int = 4, queueLength: Int = 5, cooldown: Duration = .seconds(60),
        period: Duration = .seconds(15), stabilization: Duration = .seconds(60)
    ) {
        self.minimum = minimum
        self.maximum = maximum
        self.queueLength = queueLength
        self.cooldown = cooldown
        self.period = period
        self.stabilization = stabilization
    }
}
