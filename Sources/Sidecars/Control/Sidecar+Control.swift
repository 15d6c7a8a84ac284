internal import Envelopes
internal import EventLoops
internal import Logging
internal import Transports

/// What gateways tell all sidecars.
extension Sidecar {
    /// Listens from now on, until the task is cancelled or the transport stops consuming. Returns when a gateway has told
    /// what is in force, or none has for some seconds: work must not wait for gateways.
    func listen() async -> Task<Void, Never> {
        let inbox = "\(policy.actorName).\(UInt64.random(in: 0 ... .max))"
        await transport.declare(.control(inbox: inbox))
        let (answers, answer) = AsyncStream<Never>.makeStream()
        let request = ControlRequest(actor: policy.actorName, inbox: inbox)
        let asking = Task(executorPreference: loop) { await self.ask(request) { answer.finish() } }
        let listening = Task(executorPreference: loop) {
            defer { asking.cancel() }
            let deliveries = await self.transport.deliveries(from: .control(inbox: inbox), prefetch: 100)
            for await delivery in deliveries where await self.obey(delivery) {
                asking.cancel()
                answer.finish()
            }
            answer.finish()
        }
        let limit = loop.schedule(after: Self.patience) { answer.finish() }
        for await _ in answers {}
        loop.cancel(limit)
        return listening
    }

    /// Until it is answered: a gateway that comes, or comes back, only later must know of this actor, too.
    private func ask(_ request: ControlRequest, whenNobodyIsThere: () -> Void) async {
        let message = Message(to: .controlRequests, id: "", body: request.encoded())
        var backoff = Backoff(initial: .seconds(5), ceiling: .seconds(60))
        while !Task.isCancelled {
            do throws(TransportError) { try await transport.publish(message, timeout: Self.patience) } catch {
                // No gateway has been here yet: nothing is in force.
                whenNobodyIsThere()
            }
            await loop.sleep(for: backoff.next())
        }
    }

    private static var patience: Duration { .seconds(3) }

    /// - Returns: whether it told if our actor is paused, with which a gateway's answer ends.
    private func obey(_ delivery: Delivery) async -> Bool {
        var isAnswer = false
        do throws(ControlError) {
            switch try ControlMessage.parsing(delivery.body) {
            case .cancel(let ids):
                if !ids.isEmpty { logger.debug("cancelled", metadata: ["count": "\(ids.count)"]) }
                await cancel(ids)
            case .uncancel(let ids): uncancel(ids)
            case .pauses(let pauses):
                for pause in pauses where pause.actor == policy.actorName {
                    await obey(pause)
                    isAnswer = true
                }
            case .faults(let states): await obey(faults: states)
            case nil: logger.debug("a control message of a kind that is not known here")
            }
        } catch {
            logger.warning("unreadable control message", metadata: ["reason": "\(error)"])
        }
        await transport.settle(delivery, .acknowledge)
        return isAnswer
    }
}
