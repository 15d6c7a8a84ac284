internal import Envelopes

/// An envelope as a task of MCP: its id is the task's.
struct TaskState: Sendable {
    let envelope: EnvelopeRecord

    /// Milliseconds between two looks that are worth it.
    private static let pollInterval = 1000

    func status(_ version: ProtocolVersion) -> String {
        switch envelope.status {
        case .pending, .running, .retrying, .unknown: "working"
        case .succeeded: "completed"
        // Since 2026-07-28 a task has failed only where there is no result: ours is one that says what went wrong.
        case .failed: version.isStateless ? "completed" : "failed"
        case .cancelled: "cancelled"
        }
    }

    func writeMembers(to writer: inout JSONWriter, _ version: ProtocolVersion) {
        writer.member("taskId", envelope.id)
        writer.member("status", status(version))
        writer.member("statusMessage", envelope.message.isEmpty ? nil : envelope.message)
        writer.member("createdAt", time: envelope.createdAt)
        writer.member("lastUpdatedAt", time: envelope.updatedAt)
        // Kept until an operator deletes it.
        writer.name(version.isStateless ? "ttlMs" : "ttl")
        writer.append(.null)
        writer.name(version.isStateless ? "pollIntervalMs" : "pollInterval")
        writer.append(Self.pollInterval)
    }

    /// Since 2026-07-28: with the result once there is one.
    func writeDetails(to writer: inout JSONWriter, _ version: ProtocolVersion) {
        writeMembers(to: &writer, version)
        guard status(version) == "completed" else { return }
        writer.name("result")
        writer.append(toolResult().result(version).json(version))
    }

    /// - Parameter schema: the tool's, if it is known which tool it was.
    func toolResult(_ schema: JSONSchema? = nil) -> ToolResult {
        ToolResult(
            envelopeID: envelope.id, status: envelope.status, result: envelope.result, error: envelope.error,
            message: envelope.message, schema: schema)
    }
}
