internal import Envelopes

/// Ids of envelopes.
enum EnvelopeID {
    /// What a client may choose: 1...200 characters of `A-Z a-z 0-9 . _ : -`. Such an id is safe in a path, a log line, a key of an
    /// object store and a header.
    static func isAcceptable(_ id: String, lengthLimit: Int = 200) -> Bool {
        (1...lengthLimit).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "-"): true
                default: false
                }
            }
    }

    /// A child's id is its parent's with a number behind it, once for each level of fan-out.
    static let childLengthLimit = 400

    /// A UUID of version 7 (RFC 9562): milliseconds first, so that new rows lie side by side in the index.
    static func random() -> String {
        let milliseconds = UInt64(Timestamp.microsecondsNow() / 1000)
        let high = milliseconds << 16 | 0x7000 | UInt64.random(in: 0...0xFFF)
        let low = UInt64.random(in: 0...(.max)) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        let digits = high.hexadecimal + low.hexadecimal
        var id = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { id.append("-") }
            id.append(digit)
        }
        return id
    }
}
