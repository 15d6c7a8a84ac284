/// Messages that are accepted and not yet confirmed by the broker.
protocol OutboxStore: Sendable {
    /// Takes messages whose time has come, for `lease`: after that they are due again, whatever happens to the taker. Gateways
    /// skip what another one is just taking, and envelopes that are just being reported on. What an actor has reported on has
    /// arrived, and is deleted instead.
    func takeDueMessages(limit: Int, lease: Duration) async throws(StoreError) -> [OutboxMessage]

    /// The broker has them.
    func deleteMessages(_ rowIDs: [Int64]) async throws(StoreError)

    /// Nobody is to get them any more.
    func deleteMessages(of envelopeIDs: [String]) async throws(StoreError)

    /// A try has failed: the next one comes after `delay`.
    func postponeMessage(_ rowID: Int64, by delay: Duration) async throws(StoreError)

    /// How long until a message is due: negative when one is already, `nil` when there is none.
    func timeToNextMessage() async throws(StoreError) -> Duration?

    /// Messages that are being sent or wait for their next try; those of envelopes that start later than in `horizon` don't count.
    /// - Parameter limit: nobody counts further.
    func outboxLength(within horizon: Duration, upTo limit: Int) async throws(StoreError) -> Int
}

/// A message on its way to the broker.
struct OutboxMessage: Sendable {
    var rowID: Int64
    var envelopeID: String
    var actor: String
    var body: [UInt8]
    /// Tries that have failed.
    var attempts: Int
}
