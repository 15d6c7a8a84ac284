import Glibc

/// Two ends of a pipe that nobody waits at.
final class TestPipe: Sendable {
    let reader: Int32
    let writer: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failed(errno: errno) }
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        (reader, writer) = (ends[0], ends[1])
    }

    func write() {
        var byte: UInt8 = 1
        _ = Glibc.write(writer, &byte, 1)
    }

    func drain() {
        var bytes = [UInt8](repeating: 0, count: 1024)
        while read(reader, &bytes, bytes.count) > 0 {}
    }

    func close() {
        _ = Glibc.close(reader)
        _ = Glibc.close(writer)
    }

    struct Failed: Error { let errno: Int32 }
}
