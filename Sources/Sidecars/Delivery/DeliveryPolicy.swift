public import Envelopes

/// What decides about deliveries: who we are, and how patient.
public struct DeliveryPolicy: Sendable {
    public var actorName: String
    public var happyEnd: String
    public var errorEnd: String
    /// An end actor takes any route, sends nothing on, and reports the final status.
    public var isEndActor: Bool
    /// Calls of one delivery when the runtime dies during each. One more would be a loop.
    public var crashAttempts: Int
    /// Calls of one delivery when an end actor's handler fails. What then still fails goes to the dead letters.
    public var endActorAttempts: Int
    /// Sends of a message that no queue takes, about three seconds in all, before an error envelope takes its place.
    public var unroutableAttempts: Int
    /// Deliveries of one message before it goes to the dead letters, where the broker does not count them.
    public var deliveryLimit: Int
    /// Whether anybody hears of status reports.
    public var reports = true
    /// For what fails at the handler.
    public var retries: RetryPolicy
    public var limits: JSONLimits
    /// What is sent goes all or nothing, and in order: a fan-out needs no steps.
    public var sendsTogether = false

    public init(
        actorName: String, happyEnd: String = "happy-end", errorEnd: String = "error-end", isEndActor: Bool = false,
        crashAttempts: Int = 3, endActorAttempts: Int = 5, unroutableAttempts: Int = 6,
        deliveryLimit: Int = 20, retries: RetryPolicy = RetryPolicy(), limits: JSONLimits = .standard
    ) {
        self.actorName = actorName
        self.happyEnd = happyEnd
        self.errorEnd = errorEnd
        self.isEndActor = isEndActor
        self.crashAttempts = crashAttempts
        self.endActorAttempts = endActorAttempts
        self.unroutableAttempts = unroutableAttempts
        self.deliveryLimit = deliveryLimit
        self.retries = retries
        self.limits = limits
    }
}
