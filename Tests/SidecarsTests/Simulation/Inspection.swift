import Envelopes

/// What must hold.
extension Simulation {
    /// No handler works in vain.
    func inspectCall(of envelope: Envelope) {
        if let deadline = envelope.deadline, deadline <= timeline.wallClock.microseconds.load(ordering: .relaxed) {
            violation("\(envelope.id) was handed to a handler after its deadline")
        }
    }

    /// After the end: nothing is under way, and each envelope has ended as it should have on paper.
    func inspect() {
        broker.remains.forEach(violation)
        for id in Set(scenario.prospects.keys).union(gateway.records.keys).sorted() {
            guard let prospect = scenario.prospects[id] else {
                violation("\(id) should not be there")
                continue
            }
            if let record = gateway.records[id] {
                inspect(id, record, prospect)
            } else if prospect.isCertain {
                violation("\(id) is not there")
            }
        }
        inspectDeadLetters()
    }

    private func inspect(_ id: String, _ record: SimulatedGateway.Record, _ prospect: Scenario.Prospect) {
        if record.parentID != prospect.parentID {
            violation("\(id) has the parent \(record.parentID ?? "none"), not \(prospect.parentID ?? "none")")
        }
        let expected = prospect.endings.map { $0?.description ?? "no end" }.sorted().joined(separator: ", or ")
        if !prospect.endings.contains(record.ending) {
            violation("\(id) has \(record.ending.map { "ended as \($0)" } ?? "no end"), but should have: \(expected)")
        }
        // What came too late to count must not have said anything else.
        for ending in record.endings where !prospect.endings.contains(ending) {
            violation("\(id) was also reported as \(ending), but should have: \(expected)")
        }
    }

    private func inspectDeadLetters() {
        var (certain, possible) = (Set<String>(), Set<String>())
        if scenario.hasGarbage { certain.insert("") }
        for (id, prospect) in scenario.prospects where prospect.dies {
            if prospect.isCertain { certain.insert(id) } else { possible.insert(id) }
        }
        let missing = certain.subtracting(broker.deadLetters)
        let extra = broker.deadLetters.subtracting(certain).subtracting(possible)
        if !missing.isEmpty { violation("not among the dead letters: \(missing.sorted())") }
        if !extra.isEmpty { violation("among the dead letters for no reason: \(extra.sorted())") }
    }

    var endings: [String: Int] {
        var endings: [String: Int] = [:]
        for record in gateway.records.values {
            let name = record.ending.map { $0.status == "failed" ? $0.text : $0.status } ?? "no end"
            endings[name, default: 0] += 1
        }
        return endings
    }
}
