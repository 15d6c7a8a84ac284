internal import Glibc
internal import Synchronization

/// Keeps a file for one process, until that ends, however it ends.
///
/// The lock lies on a file of its own beside it: SQLite has locks of its own on the database.
public final class FileLock: Sendable {
    /// `nil` once it is released.
    private let descriptor: Mutex<Int32?>

    /// - Throws: `.inUse`, with the other process' number; `.notPermitted`.
    public init(besides path: String) throws(SQLiteError) {
        let lockPath = path + ".lock"
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SQLiteError(.notPermitted, "'\(lockPath)' cannot be written: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Self.text(of: descriptor)
            close(descriptor)
            throw SQLiteError(
                .inUse, "another process\(holder.isEmpty ? "" : " (\(holder))") has '\(path)': end it first")
        }
        ftruncate(descriptor, 0)
        let note = Array("pid \(getpid())".utf8)
        _ = note.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        self.descriptor = Mutex(descriptor)
    }

    deinit { release() }

    public func release() {
        descriptor.withLock { descriptor in
            if let descriptor { close(descriptor) }
            descriptor = nil
        }
    }

    private static func text(of descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)).filter { (0x20..<0x7F).contains($0) }, as: UTF8.self)
    }
}
