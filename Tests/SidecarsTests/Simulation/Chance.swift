import Synchronization
import TestSupport

/// All of a run's chance, from one seed.
final class Chance: Sendable {
    private let generator: Mutex<SeededGenerator>

    init(seed: UInt64) { generator = Mutex(SeededGenerator(seed: seed)) }

    /// 0..<1
    func fraction() -> Double { Double(generator.withLock { $0.next() } >> 11) * 0x1p-53 }

    func happens(_ probability: Double) -> Bool { probability > 0 && fraction() < probability }

    func number(_ range: ClosedRange<Int>) -> Int { range.lowerBound + Int(fraction() * Double(range.count)) }

    func milliseconds(_ range: ClosedRange<Int>) -> Duration { .milliseconds(number(range)) }

    func pick<Element>(_ elements: [Element]) -> Element { elements[number(0...elements.count - 1)] }
}

/// What goes wrong in a run.
enum Fault: Int, CaseIterable {
    /// A message never reaches the broker, and its sender hears that the connection was lost.
    case publishLost
    /// It does reach the broker, but the confirm is lost: the sender hears the same.
    case confirmLost
    case publishRefused
    /// The connection that consumes is lost: what it had delivered is delivered again.
    case consumerLost
    /// The same, while the acknowledgement is on its way.
    case acknowledgementLost
    /// Every connection at once.
    case brokerRestart
    /// An actor's queue is away for a moment.
    case queueMissing
    /// A message overtakes those before it.
    case reordered
    /// Something takes seconds that mostly takes milliseconds.
    case delayed
    /// A sidecar's process is killed, between any two of its steps.
    case crash
    /// A sidecar gets SIGTERM.
    case drain
    /// An operator pauses an actor for a while. A sidecar may miss what it is told, until it is told again.
    case pause
    case handlerDied, handlerFailed, handlerMalformed, handlerHung
    /// A call fails that was to fail.
    case injected
    /// Its process is replaced on purpose, in the middle of a call.
    case handlerReplaced
    /// The gateway reads a report twice.
    case reportRepeated
}

/// How likely each fault is, whenever it could happen.
struct Odds {
    private var probabilities = [Double](repeating: 0, count: Fault.allCases.count)

    subscript(fault: Fault) -> Double { probabilities[fault.rawValue] }

    /// Nothing goes wrong.
    static let calm = Odds()

    /// Each run has its own mixture: some faults often, some never. So rare meetings of two become common in some run.
    init(_ chance: Chance) {
        for fault in Fault.allCases where chance.happens(0.5) {
            probabilities[fault.rawValue] = chance.fraction() * Self.highest(fault)
        }
    }

    private init() {}

    private static func highest(_ fault: Fault) -> Double {
        switch fault {
        case .publishLost, .confirmLost, .publishRefused: 0.2
        case .consumerLost, .acknowledgementLost: 0.1
        case .brokerRestart, .queueMissing, .pause: 1
        case .drain: 0.1
        case .reordered: 0.5
        case .delayed: 0.1
        case .crash: 0.04
        case .handlerDied, .handlerFailed, .handlerMalformed, .injected: 0.5
        case .handlerReplaced: 0.3
        case .handlerHung: 0.1
        case .reportRepeated: 0.5
        }
    }
}
