internal import Envelopes

/// A session of the protocol versions that have them. Pure: what the client has asked for, and what of it can be resumed.
///
/// Streams have numbers within their session, and event ids tell stream and place: `0-7` is the seventh message of the session's own
/// stream, `3-1042` comes from update 1042 in the answer to the third call. The latter are read from the envelope's history again, so
/// nothing is kept for them; of the former the last few are.
struct SessionMachine: Sendable {
    private(set) var calls: [Int: Call] = [:]
    private(set) var logLevel = LogLevel.info
    private(set) var watch: ChangeWatch
    private var lastCall = 0
    private var lastMessage = 0
    /// Of the last message of the session's own stream.
    var lastPlace: Int64 { Int64(lastMessage) }
    private var sent: [Message] = []

    static let callLimit = 200
    static let resourceLimit = 100
    private static let messageLimit = 100

    /// A tool call whose answer may be resumed.
    struct Call: Sendable, Hashable {
        var number: Int
        var requestID: RawJSON
        var envelopeID: String
        var tool: String
        var progress: CallProgress
        /// For the result of a task: who waits no longer has not cancelled it.
        var onlyWaits = false
        var isRunning = true
        var isCancelled = false
    }

    /// A message of the session's own stream.
    struct Message: Sendable, Hashable {
        var number: Int
        var json: RawJSON
        var eventID: EventID { EventID(stream: 0, place: Int64(number)) }
    }

    struct EventID: Sendable, Hashable, CustomStringConvertible {
        /// 0 for the session's own.
        var stream: Int
        var place: Int64

        init(stream: Int, place: Int64) {
            self.stream = stream
            self.place = place
        }

        init?(_ text: String) {
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let stream = Int(parts[0]), let place = Int64(parts[1]), stream >= 0, place >= 0
            else { return nil }
            self.init(stream: stream, place: place)
        }

        var description: String { "\(stream)-\(place)" }
    }

    init(_ catalogue: ToolCatalogue) { watch = ChangeWatch(lists: Set(ChangeWatch.List.allCases), catalogue) }

    // MARK: Calls

    struct TooManyResources: Error, Hashable {}

    /// - Returns: the call with the number of its stream.
    mutating func begin(
        _ requestID: RawJSON, envelopeID: String, tool: String, progress: CallProgress, onlyWaits: Bool = false
    ) -> Call {
        if calls.count >= Self.callLimit {
            let ended = calls.values.filter { !$0.isRunning }.map(\.number).min()
            if let oldest = ended ?? calls.keys.min(), let call = calls.removeValue(forKey: oldest) {
                watch.remove(task: call.envelopeID)
            }
        }
        lastCall += 1
        let call = Call(
            number: lastCall, requestID: requestID, envelopeID: envelopeID, tool: tool, progress: progress,
            onlyWaits: onlyWaits)
        calls[lastCall] = call
        return call
    }

    /// Whether a call of this id is under way: asked before an envelope is made for another.
    func isInUse(_ requestID: RawJSON) -> Bool {
        calls.values.contains { $0.isRunning && $0.requestID == requestID }
    }

    /// What was told of a call, so that a resumed stream goes on from there.
    mutating func told(_ number: Int, _ progress: CallProgress) { calls[number]?.progress = progress }

    /// The call has its answer.
    mutating func end(_ number: Int) { calls[number]?.isRunning = false }

    /// - Returns: the call that is under way for a request, if there is one.
    mutating func cancel(_ requestID: RawJSON) -> Call? {
        guard let call = calls.values.first(where: { $0.isRunning && $0.requestID == requestID }) else { return nil }
        calls[call.number]?.isCancelled = true
        calls[call.number]?.isRunning = false
        return call
    }

    func isCancelled(_ number: Int) -> Bool { calls[number]?.isCancelled ?? false }

    // MARK: What the client listens to

    mutating func set(logLevel: LogLevel) { self.logLevel = logLevel }

    mutating func subscribe(_ subscription: ChangeWatch.Subscription) throws(TooManyResources) {
        var watch = watch
        watch.add(subscription)
        guard watch.resourceCount <= Self.resourceLimit else { throw TooManyResources() }
        self.watch = watch
    }

    mutating func unsubscribe(envelope id: String) { watch.remove(envelope: id) }

    /// - Returns: whether it was subscribed to.
    mutating func unsubscribe(document uri: String) -> Bool { watch.remove(document: uri) }

    /// A call is a task from now on.
    /// - Parameter last: its envelope's last update that the client has been told of.
    mutating func watch(task id: String, last: Int64) { watch.add(task: id, last: last) }

    mutating func look(lastChanges: [String: Int64], catalogue: ToolCatalogue) -> [ChangeWatch.Change] {
        watch.look(lastChanges: lastChanges, catalogue: catalogue)
    }

    /// The task has ended, and its client has been told.
    mutating func unwatch(task id: String) { watch.remove(task: id) }

    mutating func send(_ json: RawJSON) -> Message {
        lastMessage += 1
        let message = Message(number: lastMessage, json: json)
        sent.append(message)
        if sent.count > Self.messageLimit { sent.removeFirst() }
        return message
    }

    /// What a stream has sent after a place, as far as it is kept.
    func sent(after place: Int64) -> [Message] { sent.filter { $0.number > place } }
}
