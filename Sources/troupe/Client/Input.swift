import EventLoops
import Glibc

/// A file, or standard input for "-".
struct Input: Sendable {
    private let descriptor: Int32
    /// As errors call it.
    let name: String
    /// In bytes; `nil` where nobody knows before the end.
    let size: Int?

    /// - Throws: `CommandFailure`.
    init(_ path: String) throws {
        name = path == "-" ? "standard input" : "'\(path)'"
        descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure(name) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure(name) }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw CommandFailure("\(name) is a folder", .notFound) }
        if isatty(descriptor) == 1 { Output.note("reading what is typed; Ctrl-D ends it") }
        size = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    }

    enum Piece: Sendable {
        case bytes([UInt8])
        /// Nothing has come for a moment.
        case pause
        case end
    }

    /// What comes next.
    /// - Throws: `CommandFailure`.
    func next() async throws -> Piece { try await BlockingThread.run { try read() } }

    private func read() throws -> Piece {
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if poll(&wait, 1, Self.patience) == 0 { return .pause }
        var bytes = [UInt8](repeating: 0, count: Self.pieceSize)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        if count < 0 {
            if errno == EINTR || errno == EAGAIN { return .pause }
            throw Self.failure(name)
        }
        return count == 0 ? .end : .bytes(Array(bytes[..<count]))
    }

    /// All of it, however long that takes to come.
    /// - Throws: `CommandFailure`.
    func all() async throws -> [UInt8] {
        var all: [UInt8] = []
        while try append(try await next(), to: &all) { try Task.checkCancellation() }
        return all
    }

    /// All of a file that is there.
    /// - Throws: `CommandFailure`.
    func contents() throws -> [UInt8] {
        var all: [UInt8] = []
        while try append(try read(), to: &all) {}
        return all
    }

    /// - Returns: whether there may be more.
    private func append(_ piece: Piece, to all: inout [UInt8]) throws -> Bool {
        guard case .bytes(let bytes) = piece else {
            if case .end = piece { return false }
            return true
        }
        all += bytes
        guard all.count <= Self.limit else {
            throw CommandFailure(
                "\(name) is larger than the \(Self.limit >> 20) MiB that can be sent at once", .badInput)
        }
        return true
    }

    private static let pieceSize = 256 << 10
    /// Milliseconds.
    private static let patience: Int32 = 200
    private static let limit = 256 << 20

    private static func failure(_ name: String) -> CommandFailure {
        CommandFailure("\(name) can't be read: \(String(cString: strerror(errno)))", .notFound)
    }
}
