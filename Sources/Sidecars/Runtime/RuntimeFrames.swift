internal import Envelopes
internal import Glibc

/// Frames as they come in: four bytes of length, big-endian, then the body. Several may come at once.
struct RuntimeFrames {
    private var head: UInt32 = 0
    private var headCount = 0
    private var body: [UInt8] = []
    private var filled = 0
    /// Of the frame that is coming in; `nil` until it is known.
    private(set) var length: Int?
    /// Came with that frame, and belongs to those behind it.
    private var behind: ArraySlice<UInt8> = []

    /// Bytes of a frame that is not whole.
    var received: Int { headCount + filled }

    var isEmpty: Bool { received == 0 && behind.isEmpty }

    /// One `recv`; returns what it returned.
    mutating func receive(from descriptor: Int32) -> Int {
        if length != nil {
            let (offset, space) = (filled, body.count - filled)
            let count = body.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress.map { $0 + offset }, space, 0) }
            filled += max(0, count)
            return count
        }
        // The length and, mostly, all of a small body in one call.
        return withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 16) { buffer in
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0, !takeWhole(buffer[..<count]) { take(Array(buffer[..<count])[...]) }
            return count
        }
    }

    /// One small frame and nothing behind it, as replies mostly are: copied once.
    private mutating func takeWhole(_ bytes: Slice<UnsafeMutableRawBufferPointer>) -> Bool {
        guard headCount == 0, bytes.count >= 4 else { return false }
        let length = bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        guard bytes.count - 4 == Int(length) else { return false }
        (head, headCount, self.length) = (length, 4, Int(length))
        body = Array(bytes.dropFirst(4))
        filled = body.count
        return true
    }

    private mutating func take(_ bytes: ArraySlice<UInt8>) {
        let missing = min(4 - headCount, bytes.count)
        for byte in bytes.prefix(missing) { head = head << 8 | UInt32(byte) }
        headCount += missing
        guard headCount == 4 else { return }
        let length = Int(head)
        self.length = length
        // A length is only a claim: memory is taken when the limit was checked, see `next`.
        let rest = bytes.dropFirst(missing)
        body = Array(rest.prefix(length))
        filled = body.count
        behind = rest.dropFirst(filled)
    }

    /// For the whole body, without a copy of it, or zeros that would only be written over.
    private mutating func makeRoom(_ length: Int) {
        body = Array(unsafeUninitializedCapacity: length) { [body] room, count in
            _ = UnsafeMutableRawBufferPointer(room).initializeMemory(as: UInt8.self, from: body)
            count = length
        }
    }

    /// The next frame, once it is whole; makes room for what is still to come. The limit on `length` must have been
    /// checked.
    mutating func next() -> [UInt8]? {
        guard let length else { return nil }
        guard filled == length else {
            if body.count < length { makeRoom(length) }
            return nil
        }
        let frame = body
        let rest = behind
        self = RuntimeFrames()
        if !rest.isEmpty { take(rest) }
        return frame
    }
}

extension EmittedEvent {
    /// What a frame of the runtime says besides replies: an object with a member `event`. A reply is an array.
    /// - Returns: `nil` for what must be a reply.
    static func inFrame(_ frame: [UInt8], limits: JSONLimits) -> RawJSON? {
        guard RawJSON.firstCharacter(of: frame) == UInt8(ascii: "{") else { return nil }
        return (try? RawJSON(frame, limits: limits))?["event"]
    }
}
