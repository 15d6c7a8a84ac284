internal import Settings

/// How MCP is served.
struct MCPSettings: Sendable {
    var hasOwnTools = true
    /// How long a call is waited for.
    var callTimeout = Duration.seconds(300)
    /// After this a call becomes a task where the client knows the extension.
    var taskAfter = Duration.seconds(5)
    var sessionLimit = 1000
    var sessionIdleLimit = Duration.seconds(3600)
    /// How long a list of tools may be kept.
    var toolsAge = Duration.seconds(5)
    /// How long envelopes are kept after their end; `nil` for ever.
    var retention: Duration?

    init() {}

    init(_ settings: inout Settings, toolsAge: Duration) {
        hasOwnTools = settings.flag("MCP_OWN_TOOLS", default: hasOwnTools)
        callTimeout = settings.duration(
            "MCP_CALL_TIMEOUT", default: callTimeout, in: .milliseconds(100)...(.seconds(86_400)))
        taskAfter = settings.duration("MCP_TASK_AFTER", default: taskAfter, in: .zero...(.seconds(86_400)))
        sessionLimit = settings.integer("MCP_SESSIONS", default: sessionLimit, in: 1...100_000)
        sessionIdleLimit = settings.duration(
            "MCP_SESSION_IDLE", default: sessionIdleLimit, in: .seconds(1)...(.seconds(7 * 86_400)))
        self.toolsAge = toolsAge
    }
}
