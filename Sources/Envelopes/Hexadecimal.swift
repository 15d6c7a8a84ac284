extension FixedWidthInteger where Self: UnsignedInteger {
    /// All digits, those of leading zeros too, lower case.
    public var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: Self.bitWidth / 4 - digits.count) + digits
    }
}

extension Sequence<UInt8> {
    /// Two lower-case digits a byte.
    public var hexadecimal: String { reduce(into: "") { $0 += $1.hexadecimal } }
}
