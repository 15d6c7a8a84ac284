/// Random numbers of one fault at one actor, from its seed (SplitMix64): the same ones each time.
public struct FaultChance: RandomNumberGenerator, Sendable, Hashable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// - Parameter actor: who share a fault are not struck in step.
    init(seed: Int, actor: String) {
        // FNV-1a: the same in each process, as Swift's hashes are not.
        let hash = actor.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        self.init(seed: UInt64(truncatingIfNeeded: seed) ^ hash)
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Takes one number, whatever comes of it: later ones do not depend on it.
    mutating func happens(_ probability: Double) -> Bool { Double(next() >> 11) * 0x1p-53 < probability }

    /// A chance of its own for what needs more than one number.
    mutating func branch() -> FaultChance { FaultChance(seed: next()) }
}
