import Testing

@testable import ActorKit

@Suite
struct FrameReaderTests {
    private func frame(_ body: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt32(body.count).bigEndian, Array.init) + body
    }

    private func read(_ stream: [UInt8], inPiecesOf size: Int, limit: Int = 1 << 20) throws -> (
        frames: [[UInt8]], reader: FrameReader
    ) {
        var reader = FrameReader(maximumBytes: limit)
        var frames: [[UInt8]] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            stream[start..<min(start + size, stream.count)].withUnsafeBytes { reader.append($0) }
            while let frame = try reader.next() { frames.append(frame) }
        }
        return (frames, reader)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 7, 64, 1000, 1 << 20])
    func framesComeOutHoweverTheStreamIsCut(_ size: Int) throws {
        let bodies: [[UInt8]] = [
            [], [1], Array(repeating: 7, count: 300), [], [2, 3], Array(repeating: 9, count: 70_000),
        ]
        let (frames, reader) = try read(bodies.flatMap(frame), inPiecesOf: size)
        #expect(frames == bodies)
        #expect(reader.isIdle)
    }

    @Test func aFrameMayBeAsLargeAsAllowedAndNoLarger() throws {
        #expect(try read(frame([UInt8](repeating: 1, count: 100)), inPiecesOf: 10, limit: 100).frames.count == 1)
        #expect(throws: BadFrame.tooLarge(101, limit: 100)) {
            try read(frame([UInt8](repeating: 1, count: 101)), inPiecesOf: 10, limit: 100)
        }
        // Four bytes that claim 4 GiB cost no memory.
        #expect(throws: BadFrame.tooLarge(Int(UInt32.max), limit: 100)) {
            try read([255, 255, 255, 255], inPiecesOf: 4, limit: 100)
        }
    }

    @Test func aBadFrameStaysBad() throws {
        var reader = FrameReader(maximumBytes: 10)
        ([0, 0, 0, 11, 1, 2] as [UInt8]).withUnsafeBytes { reader.append($0) }
        for _ in 0..<3 { #expect(throws: BadFrame.self) { try reader.next() } }
    }

    @Test func whatIsMissingIsSaid() throws {
        #expect(try read([0, 0], inPiecesOf: 1).reader.truncation == .endedInLength(after: 2))
        #expect(try read([0, 0, 0, 16, 1, 2, 3], inPiecesOf: 2).reader.truncation == .endedInBody(after: 3, of: 16))
    }
}
