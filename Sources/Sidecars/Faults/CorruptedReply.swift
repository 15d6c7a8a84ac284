internal import Envelopes
internal import Faults

/// A runtime's reply with its results changed.
struct CorruptedReply {
    let bytes: [UInt8]
    /// Those that have changed something.
    let faults: [Fault]

    /// - Returns: `nil` where there is nothing to change: an error, no result, or nothing at the places that were named.
    init?(_ reply: [UInt8], _ corruptions: [FaultPlan.Corruption], limits: JSONLimits) {
        guard let elements = try? RawJSON.objects(inArray: reply, limits: limits) else { return nil }
        var faults: [Fault] = []
        var items: [RawJSON] = []
        var corruptions = corruptions
        for element in elements {
            guard case .object(var members) = element, !members.contains(where: { $0.isNamed("error") }) else {
                return nil
            }
            if let index = members.lastIndex(where: { $0.isNamed("payload") }) {
                var payload = members[index].value
                for number in corruptions.indices {
                    let changed = DataChange.apply(
                        corruptions[number].changes, to: payload, &corruptions[number].chance)
                    let fault = corruptions[number].fault
                    if changed != payload && !faults.contains(fault) { faults.append(fault) }
                    payload = changed
                }
                members[index] = RawJSON.Member(name: "payload", value: payload)
            }
            items.append(RawJSON(object: members))
        }
        if faults.isEmpty { return nil }
        self.faults = faults
        bytes = Array(RawJSON(array: items).bytes)
    }
}
