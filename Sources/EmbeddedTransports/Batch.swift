internal import Transports

typealias QueueID = Int64
typealias Place = QueueMachine.Place

/// What one transaction of the broker writes: all or nothing of it.
struct Batch: Sendable {
    /// Milliseconds since 1970.
    var now: Int64
    var publications: [Publication] = []
    var declared: [QueueName] = []
    var acknowledged: [Acknowledgement] = []
    /// Whether the delayed messages that are due come to their queues.
    var movesDue = false
    /// Whether it is there to see if the file can be written again.
    var isProbe = false
    var takes: [TakeOrder] = []
    var forgotten: [QueueID] = []

    var isEmpty: Bool { publications.isEmpty && !hasUpkeep && takes.isEmpty }

    private var hasUpkeep: Bool {
        !declared.isEmpty || !acknowledged.isEmpty || movesDue || isProbe || !forgotten.isEmpty
    }

    /// The same, each caller's part and each take for itself: what is too much for the disk together may fit singly.
    /// What is published goes before the queues that are forgotten.
    var parts: [Batch] {
        var upkeep = self
        upkeep.publications = []
        upkeep.takes = []
        return publications.map { Batch(now: now, publications: [$0]) } + (hasUpkeep ? [upkeep] : [])
            + takes.map { Batch(now: now, takes: [$0]) }
    }

    struct Acknowledgement: Sendable {
        let place: Place
        /// Who waits for it to be written; `nil` for nobody any more.
        var caller: CallerID?
    }

    /// One take of one queue, and what becomes of messages that nobody is to get.
    struct TakeOrder: Sendable {
        var queue: QueueName
        var id: QueueID
        var take: QueueMachine.Take
        /// Messages from before this are dropped; seconds since 1970.
        var oldest: Int?
        /// `nil` where they come as often as they like.
        var limit: Limit?

        struct Limit: Sendable {
            var deliveries: Int
            var actor: String
            /// Where copies go of what has been delivered too often.
            var deadLetters: [QueueID]
        }
    }

    struct Outcome: Sendable {
        var declared: [QueueName: QueueID] = [:]
        var arrived: [QueueID: Int] = [:]
        /// In the order of the takes.
        var taken: [Taken] = []
        /// When the next delayed message is due, where that may have changed.
        var nextDue: NextDue = .asBefore
    }

    enum NextDue: Sendable, Hashable {
        case asBefore
        /// Milliseconds since 1970; `nil` where none waits.
        case at(Int64?)
    }

    struct Taken: Sendable {
        var messages: [StoredMessage] = []
        /// No longer in the queue: too old, or delivered too often.
        var withdrawn: [Place] = []
    }
}

typealias CallerID = UInt64

/// What one caller publishes.
struct Publication: Sendable {
    struct Copy: Sendable {
        var queue: QueueID
        /// Milliseconds since 1970; `nil` for at once.
        var due: Int64?
        var id: String
        var body: [UInt8]
        var deadLetter: DeadLetter?
    }

    var caller: CallerID
    var copies: [Copy]
    /// The delivery that is done with.
    var settles: HeldMessage?
    /// Whether it was still held when the batch was made.
    var acknowledges = false
}

/// A message at a consumer.
struct HeldMessage: Sendable, Hashable {
    var queue: QueueName
    var consumer: QueueMachine.ConsumerID
    var place: Place
}

struct StoredMessage: Sendable {
    var place: Place
    var id: String
    var body: [UInt8]
    /// Before this one.
    var deliveries: Int
    /// Seconds since 1970.
    var publishedAt: Int
    var deadLetter: DeadLetter?
}
