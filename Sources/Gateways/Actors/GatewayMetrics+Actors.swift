internal import Envelopes
internal import Telemetry
internal import Transports

/// Actors and queues among the metrics: as `GET /actors` and `GET /queues` have them.
extension GatewayMetrics {
    /// - Parameter name: the broker's, of a queue.
    func show(_ view: ActorView, name: (ObservedQueue) -> String) {
        brokerAvailable.set(view.brokerTrouble == nil ? 1 : 0)
        var (ready, consumers, dead) = ([Level](), [Level](), [Level]())
        for (queue, state) in view.states {
            if case .deadLetters(let actor) = queue {
                dead.append((name(.actor(actor)), state.ready))
            } else {
                ready.append((name(queue), state.ready))
                consumers.append((name(queue), state.consumers))
            }
        }
        set(.ready, ready)
        set(.consumers, consumers)
        set(.dead, dead)
        let now = Timestamp.microsecondsNow()
        func levels(_ level: (KnownActor, ActorWork) -> Int) -> [Level] {
            view.actors.map { (name(.actor($0.name)), level($0, view.work[$0.name] ?? ActorWork())) }
        }
        set(.inFlight, levels { $1.inFlight })
        set(.oldest, levels { $1.oldestAt.map { Int(max(0, now - $0) / 1_000_000) } ?? 0 })
        set(.paused, levels { actor, _ in actor.pause == nil ? 0 : 1 })
    }

    /// What nobody can tell is not shown as it was.
    func forgetQueues() {
        brokerAvailable.set(0)
        for gauge in QueueGauge.allCases { set(gauge, []) }
    }

    private typealias Level = (value: String, level: Int)

    private enum QueueGauge: String, CaseIterable {
        case ready = "queue_messages"
        case consumers = "queue_consumers"
        case dead = "queue_dead_letters"
        case inFlight = "queue_in_flight"
        case oldest = "queue_oldest_seconds"
        case paused = "queue_paused"

        var help: String {
            switch self {
            case .ready: "Messages in the queue that no consumer has been given"
            case .consumers: "Consumers of the queue: the replicas of its actor"
            case .dead: "Dead letters of the queue's actor"
            case .inFlight: "Unfinished envelopes that the actor has begun with and not sent on"
            case .oldest:
                "How long nothing was heard of the unfinished envelope, at the actor or in its queue, that is worst off"
            case .paused: "1 while the queue's actor is paused, else 0"
            }
        }
    }

    private func set(_ gauge: QueueGauge, _ levels: [Level]) {
        registry.set(gauge.rawValue, gauge.help, by: "queue", levels)
    }
}
