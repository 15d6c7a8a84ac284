import Synchronization
import Transports

/// Deliveries as they come, unsettled.
public final class Arrivals: Sendable {
    private let deliveries = Mutex<[Delivery]>([])
    public var all: [Delivery] { deliveries.withLock { $0 } }

    public init(_ stream: DeliveryStream) {
        Task { for await delivery in stream { deliveries.withLock { $0.append(delivery) } } }
    }
}

final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func increment() { count.withLock { $0 += 1 } }
}

final class Bodies: Sendable {
    private let bodies = Mutex<Set<[UInt8]>>([])
    var count: Int { bodies.withLock { $0.count } }
    func insert(_ body: [UInt8]) { bodies.withLock { _ = $0.insert(body) } }
    func contains(_ body: [UInt8]) -> Bool { bodies.withLock { $0.contains(body) } }
}
