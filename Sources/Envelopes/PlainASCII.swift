/// How many bytes at the beginning need no look: neither quote, backslash, control character nor beyond ASCII. In steps
/// of 16 and 8, so it may stop up to 7 bytes early.
func plainASCIIPrefix(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    let highs: UInt64 = 0x8080_8080_8080_8080
    let count = bytes.count
    var offset = 0
    while offset &+ 16 <= count {
        let first = (base + offset).loadUnaligned(as: UInt64.self)
        let second = (base + offset + 8).loadUnaligned(as: UInt64.self)
        if (specialBytes(first) | specialBytes(second)) & highs != 0 { break }
        offset &+= 16
    }
    while offset &+ 8 <= count {
        if specialBytes((base + offset).loadUnaligned(as: UInt64.self)) & highs != 0 { break }
        offset &+= 8
    }
    return offset
}

/// The highest bit of a byte is set where it needs a look, and perhaps behind such a byte.
@inline(__always)
private func specialBytes(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ (ones &* 0x22)
    let backslashes = word ^ (ones &* 0x5C)
    // A byte that was beyond ASCII stands for itself, so what it does to the others does not matter.
    return (quotes &- ones) | (backslashes &- ones) | (word &- (ones &* 0x20)) | word
}
