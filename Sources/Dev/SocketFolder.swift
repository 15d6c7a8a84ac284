internal import FoundationEssentials
internal import Glibc
internal import Synchronization

/// A short-lived folder for sockets that only we can enter: paths of sockets have 107 bytes at most, and projects may lie
/// deep.
final class SocketFolder: Sendable {
    let path: String
    private let note: String
    private let count = Atomic<Int>(0)

    /// - Parameter state: the project's own folder. What the last run has left behind, if it was killed, goes.
    /// - Throws: `.notPermitted`.
    init(state: String) throws(DevError) {
        note = state + "/sockets"
        let files = FileManager.default
        if let old = try? files.destinationOfSymbolicLink(atPath: note) {
            // Only what we have made: a link may come with somebody else's files.
            if old.hasPrefix(Self.place + Self.marker), !old.dropFirst(Self.place.count + 1).contains("/") {
                try? files.removeItem(atPath: old)
            }
            unlink(note)
        }
        path = try Self.made(Self.marker)
        symlink(path, note)
    }

    /// Makes one, for our eyes only.
    /// - Parameter name: with the slash before it.
    static func made(_ name: String) throws(DevError) -> String {
        var template = Array("\(place)\(name)XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw DevError(
                .notPermitted, "cannot make a folder for sockets in \(place): \(String(cString: strerror(errno)))")
        }
        return String(cString: made)
    }

    /// Where such folders go.
    static var place: String {
        let variable = getenv("XDG_RUNTIME_DIR") ?? getenv("TMPDIR")
        return variable.map { String(cString: $0) }.flatMap { isFit($0) ? $0 : nil } ?? "/tmp"
    }

    /// The last run's is known by it.
    private static let marker = "/troupe-dev-"

    private static func isFit(_ folder: String) -> Bool {
        folder.hasPrefix("/") && folder.utf8.count <= 60 && access(folder, W_OK | X_OK) == 0
    }

    /// A folder for one more socket.
    func next() -> String {
        let folder = "\(path)/\(count.add(1, ordering: .relaxed).newValue)"
        mkdir(folder, 0o700)
        return folder
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
        unlink(note)
    }
}
