/// A transport that can do several things as one.
public protocol AtomicTransport: Transport {
    /// Publishes all of these, in this order, or none of them; where all are, the delivery is acknowledged with them.
    /// Whatever happens, nobody ever finds a part of it.
    /// - Parameter delivery: what is done with then. One that is no longer ours keeps nobody from publishing.
    /// - Returns: what became of each, in their order: success for all or failure for all. Those that were not at fault
    ///   are `.refused`, where another was.
    func publish(
        _ messages: [Message], acknowledging delivery: Delivery?, timeout: Duration?
    ) async -> [Result<Void, TransportError>]
}
