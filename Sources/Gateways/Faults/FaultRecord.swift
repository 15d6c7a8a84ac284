internal import Envelopes
internal import Faults

/// A fault with what has become of it.
struct FaultRecord: Sendable, Hashable {
    var fault: Fault
    /// Who, as the gateway knows him; `nil` where nobody is asked who he is.
    var injectedBy: String?
    /// Microseconds since 1970; `nil` where nobody has ended it before its time.
    var resetAt: Int64?
    var resetBy: String?

    enum State: String, CaseIterable { case active, expired, reset }

    func state(at now: Int64) -> State { resetAt != nil ? .reset : fault.until > now ? .active : .expired }

    func write(to writer: inout JSONWriter, now: Int64) {
        let state = state(at: now)
        writer.beginObject()
        fault.writeMembers(to: &writer)
        writer.member("state", state.rawValue)
        writer.member("milliseconds_left", number: state == .active ? Double((fault.until - now) / 1000) : nil)
        writer.member("injected_by", injectedBy)
        writer.member("reset_at", time: resetAt)
        writer.member("reset_by", resetBy)
        writer.endObject()
    }
}
