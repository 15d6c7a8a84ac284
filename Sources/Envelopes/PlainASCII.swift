/// How many bytes at the beginning need no look: neither quote, backslash, control character nor beyond ASCII.
@inline(__always)
func plainASCIIPrefix(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    let highs: UInt64 = 0x8080_8080_8080_8080
    let count = bytes.count
    var offset = 0
    while offset &+ 32 <= count {
        let first = (base + offset).loadUnaligned(as: SIMD16<UInt8>.self)
        let second = (base + offset + 16).loadUnaligned(as: SIMD16<UInt8>.self)
        let halves = unsafeBitCast(special(first) | special(second), to: SIMD2<UInt64>.self)
        if (halves[0] | halves[1]) & highs != 0 { break }
        offset &+= 32
    }
    while offset &+ 8 <= count {
        if special((base + offset).loadUnaligned(as: UInt64.self)) & highs != 0 { break }
        offset &+= 8
    }
    while offset < count, special(UInt64(bytes[offset])) & 0x80 == 0 { offset &+= 1 }
    return offset
}

/// The highest bit of a byte is set where it needs a look. By arithmetic: SIMD comparisons of Swift go byte by byte.
@inline(__always)
private func special(_ text: SIMD16<UInt8>) -> SIMD16<UInt8> {
    let quotes = (text ^ SIMD16(repeating: 0x22)) &- SIMD16(repeating: 1)
    let backslashes = (text ^ SIMD16(repeating: 0x5C)) &- SIMD16(repeating: 1)
    return quotes | backslashes | (text &- SIMD16(repeating: 0x20)) | text
}

/// The same for eight bytes in one word. What a byte that needs a look borrows may mark those behind it, too.
@inline(__always)
private func special(_ text: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = (text ^ (ones &* 0x22)) &- ones
    let backslashes = (text ^ (ones &* 0x5C)) &- ones
    return quotes | backslashes | (text &- (ones &* 0x20)) | text
}
