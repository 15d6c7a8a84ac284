internal import Envelopes

/// What a caller gets to hear while its envelope is on the way. Pure.
struct CallProgress: Sendable, Hashable {
    /// `nil` where the caller doesn't ask for progress.
    var token: RawJSON?
    /// `nil` where the caller doesn't ask for log messages.
    var logLevel: LogLevel?
    /// What was told last: progress must grow.
    private(set) var percent = -1.0

    init(token: RawJSON?, logLevel: LogLevel?) {
        self.token = token
        self.logLevel = logLevel
    }

    mutating func notifications(for update: EnvelopeUpdate) -> [RawJSON] {
        var notifications: [RawJSON] = []
        if let logLevel, let level = Self.level(of: update), level >= logLevel {
            notifications.append(log(update, level))
        }
        if let token, let percent = update.percent, percent > self.percent {
            self.percent = percent
            notifications.append(
                JSONRPC.notification("notifications/progress") { writer in
                    writer.name("progressToken")
                    writer.append(token)
                    writer.member("progress", number: percent)
                    writer.member("total", number: 100)
                    writer.member("message", update.message)
                })
        }
        return notifications
    }

    /// `nil` for what is no log message: of what a handler tells, only its log lines are.
    private static func level(of update: EnvelopeUpdate) -> LogLevel? {
        if let partial = update.partial {
            return partial.type == "log" ? said(in: update)["level"]?.string.flatMap(LogLevel.init) ?? .info : nil
        }
        return switch update.status {
        case .failed: .error
        case .retrying, .cancelled: .warning
        case .pending, .running, .succeeded, .unknown: .info
        }
    }

    private static func said(in update: EnvelopeUpdate) -> RawJSON { RawJSON(stored: update.result ?? []) }

    private func log(_ update: EnvelopeUpdate, _ level: LogLevel) -> RawJSON {
        let isPartial = update.partial != nil
        return JSONRPC.notification("notifications/message") { writer in
            writer.member("level", level.rawValue)
            writer.member("logger", update.actor ?? "gateway")
            writer.name("data")
            writer.beginObject()
            writer.member("envelope_id", update.envelopeID)
            writer.member("status", update.status.rawValue)
            writer.member("message", isPartial ? Self.said(in: update)["message"]?.string ?? "" : update.message)
            writer.member("error", update.error)
            writer.member("timestamp", time: update.timestamp)
            writer.endObject()
        }
    }
}
