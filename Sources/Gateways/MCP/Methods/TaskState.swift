internal import Envelopes

/// An envelope as a task of MCP: its id is the task's.
struct TaskState: Sendable {
    /// With its result.
    let envelope: EnvelopeRecord
    /// By which it came, where that is known.
    var tool: Tool?
    /// How long it is kept after its end; `nil` for ever.
    var retention: Duration?

    /// Milliseconds between two looks that are worth it.
    private static let pollInterval = 1000

    func status(_ version: ProtocolVersion) -> String {
        switch envelope.status {
        case .pending, .running, .retrying, .unknown: "working"
        case .succeeded: !version.isStateless && toolResult.isError ? "failed" : "completed"
        // Since 2026-07-28 a task has failed only where there is no result: ours is one that says what went wrong.
        case .failed: version.isStateless ? "completed" : "failed"
        case .cancelled: "cancelled"
        }
    }

    /// Milliseconds from its creation; `nil` where there is no end to it: as long as it is under way, it stays.
    private var timeToLive: Int? {
        guard envelope.status.isFinal, let retention else { return nil }
        return Int((envelope.updatedAt - envelope.createdAt) / 1000) + retention.milliseconds
    }

    /// What `tasks/get` answers.
    func write(to writer: inout JSONWriter, _ version: ProtocolVersion) {
        writeMembers(to: &writer, version)
        guard version.isStateless, status(version) == "completed" else { return }
        writer.name("result")
        writer.append(toolResult.result(version).json(version))
    }

    /// Without the result.
    func writeMembers(to writer: inout JSONWriter, _ version: ProtocolVersion) {
        writer.member("taskId", envelope.id)
        writer.member("status", status(version))
        writer.member("statusMessage", envelope.message.isEmpty ? nil : envelope.message)
        writer.member("createdAt", time: envelope.createdAt)
        writer.member("lastUpdatedAt", time: envelope.updatedAt)
        writer.name(version.isStateless ? "ttlMs" : "ttl")
        writer.append(timeToLive.map { RawJSON(integer: $0) } ?? .null)
        writer.name(version.isStateless ? "pollIntervalMs" : "pollInterval")
        writer.append(Self.pollInterval)
    }

    var toolResult: ToolResult {
        ToolResult(
            envelopeID: envelope.id, status: envelope.status, result: envelope.result, error: envelope.error,
            message: envelope.message, tool: tool)
    }
}
