internal import DequeModule

/// Which publishes wait for the broker's word, and what its frames say about them. `Waiter` is whoever wants to know.
///
/// The broker numbers publishes on a channel 1, 2, 3, ... and confirms single ones or all up to a number. An unroutable
/// mandatory message comes back first (`basic.return`) and is then confirmed like any other; the return names no
/// number, so it is told by message id and routing key.
struct ConfirmWindow<Waiter> {
    enum Outcome: Equatable {
        case confirmed
        case returned(String)
        case refused
    }

    private struct Publish {
        var waiter: Waiter
        var messageID: String
        var routingKey: String
        var returned: String?
        var isSettled = false
    }

    private var publishes: Deque<Publish> = []
    /// Of the first publish in the window.
    private var firstNumber: UInt64 = 1

    var count: Int { publishes.count { !$0.isSettled } }

    mutating func sent(_ waiter: Waiter, messageID: String, routingKey: String) {
        publishes.append(Publish(waiter: waiter, messageID: messageID, routingKey: routingKey))
    }

    mutating func returned(messageID: String, routingKey: String, reason: String) {
        let index = publishes.firstIndex {
            !$0.isSettled && $0.returned == nil && $0.messageID == messageID && $0.routingKey == routingKey
        }
        if let index { publishes[index].returned = reason }
    }

    /// `basic.ack` (`isAck`) or `basic.nack`.
    mutating func settled(_ number: UInt64, multiple: Bool, isAck: Bool) -> [(Waiter, Outcome)] {
        // A broker may say 0 with `multiple` for "all so far" (AMQP 0-9-1, basic.ack.multiple).
        let last = number == 0 && multiple ? firstNumber + UInt64(publishes.count) - 1 : number
        guard last >= firstNumber, last - firstNumber < UInt64(publishes.count) else { return [] }
        var outcomes: [(Waiter, Outcome)] = []
        for index in (multiple ? 0 : Int(last - firstNumber))...Int(last - firstNumber)
        where !publishes[index].isSettled {
            publishes[index].isSettled = true
            let outcome: Outcome = isAck ? publishes[index].returned.map { .returned($0) } ?? .confirmed : .refused
            outcomes.append((publishes[index].waiter, outcome))
        }
        while publishes.first?.isSettled == true {
            publishes.removeFirst()
            firstNumber += 1
        }
        return outcomes
    }

    /// Those whose fate nobody will tell any more.
    mutating func drain() -> [Waiter] {
        defer { publishes.removeAll() }
        return publishes.filter { !$0.isSettled }.map(\.waiter)
    }
}
