internal import Envelopes
internal import Faults
internal import Logging
internal import Transports

/// What faults do to a sidecar's calls. End actors are spared, and so is all that is no call: probes, control messages.
extension Sidecar {
    /// Gateways tell how it stands with some faults.
    func obey(faults states: [RawJSON]) async {
        if policy.isEndActor || states.isEmpty { return }
        guard let faults else {
            if !hasIgnoredFaults {
                logger.notice("faults are ignored here, now and later: TROUPE_FAULTS_ENABLED is not set")
            }
            return hasIgnoredFaults = true
        }
        await faults.told(states)
    }

    /// The call's turn has come, and it is wanted.
    /// - Returns: how long it may take, or why it is not made.
    func strike(
        _ call: Runtime.CallID, _ delivery: Delivery, _ machine: DeliveryMachine, with faults: FaultInjector,
        limit: Duration
    ) async -> Result<Duration, Runtime.Failure> {
        guard let envelope = machine.envelope else { return .success(limit) }
        let verdict = await faults.strike(
            call, envelope.headers, mayDrop: oftenDelivered == 0, limit: limit,
            report: faultReport(machine, of: envelope))
        switch verdict {
        case .untouched: return .success(limit)
        case .goesOn: break
        case .drops: await transport.disconnect(from: .actor(policy.actorName))
        case .fails(let failure):
            // Time has passed: what came meanwhile goes before.
            if case .failure(let reason) = await permit(call, delivery, machine) { return .failure(reason) }
            return .failure(.injected(failure))
        }
        return await permit(call, delivery, machine)
    }

    /// The call has come back.
    func followed(
        _ call: Runtime.CallID, _ result: Result<[UInt8], Runtime.Failure>, _ machine: DeliveryMachine,
        with faults: FaultInjector
    ) async -> Result<[UInt8], Runtime.Failure> {
        guard let envelope = machine.envelope else { return result }
        let followed = await faults.followed(
            call, result, limits: policy.limits, report: faultReport(machine, of: envelope))
        // Who cancels an envelope must find it cancelled, be the runtime dead or not.
        if case .failure(.injected) = followed, cancellations.cover(envelope) { return .failure(.cancelled) }
        return followed
    }

    private func faultReport(_ machine: DeliveryMachine, of envelope: Envelope) -> StatusReport {
        machine.emittedReport(of: envelope, call: "fault-" + UInt64.random(in: 0 ... .max).hexadecimal)
    }

    /// Whether one more lost connection would bring it too near the end of its deliveries.
    func isOftenDelivered(_ delivery: Delivery) -> Bool {
        faults != nil && delivery.priorDeliveries * 2 >= policy.deliveryLimit
    }
}
