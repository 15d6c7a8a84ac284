internal import ActorKit
internal import EventLoops
internal import Glibc

/// A file for each key below a folder: written aside, synced, then renamed, so that nobody ever sees half of it.
struct FolderStore: ResultStore {
    private let root: String
    /// Where files are while they are being written.
    private var unfinished: String { root + "/.partial" }

    /// Makes the folder, and removes what was left half-written an hour ago or earlier.
    init(_ root: String) throws(StartError) {
        self.root = root
        do {
            try makeFolders(root)
            guard access(root, W_OK | X_OK) == 0 else { throw failure("write to \(root)") }
            try makeFolders(unfinished)
            removeLeftovers()
        } catch {
            throw StartError("TROUPE_RESULTS_DIR: \(error)", exitCode: StartError.cannotCreate)
        }
    }

    private func removeLeftovers() {
        guard let folder = opendir(unfinished) else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            var status = stat()
            // Other replicas may be writing theirs.
            guard stat("\(unfinished)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG,
                time(nil) - status.st_mtim.tv_sec > 3600
            else { continue }
            unlink("\(unfinished)/\(name)")
        }
    }

    func put(_ bytes: [UInt8], at key: String) async throws(StorageError) {
        // File systems block, now and then for long; handlers share few threads.
        try await BlockingThread.run { () throws(StorageError) in try self.write(bytes, at: key) }
    }

    private func write(_ bytes: [UInt8], at key: String) throws(StorageError) {
        let path = root + "/" + key
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        try makeFolders(folder)
        try makeFolders(unfinished)
        let aside = "\(unfinished)/\(UInt64.random(in: 0...UInt64.max))"
        do throws(StorageError) {
            try writeFile(bytes, aside)
            guard rename(aside, path) == 0 else { throw failure("rename \(aside)") }
        } catch {
            unlink(aside)
            throw error
        }
        // The names must survive a power cut, too: of the file, and of the folders above it that may be new.
        var level = folder
        while level.utf8.count >= root.utf8.count, level.hasPrefix(root) {
            try sync(level)
            guard let slash = level.lastIndex(of: "/"), slash != level.startIndex else { break }
            level = String(level[..<slash])
        }
    }

    private func writeFile(_ bytes: [UInt8], _ path: String) throws(StorageError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("create \(path)") }
        defer { close(descriptor) }
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
            }
            guard count >= 0 || errno == EINTR else { throw failure("write \(path)") }
            offset += max(count, 0)
        }
        guard fsync(descriptor) == 0 else { throw failure("sync \(path)") }
    }

    private func sync(_ folder: String) throws(StorageError) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open \(folder)") }
        defer { close(descriptor) }
        // Some file systems can't sync a folder, and say so.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw failure("sync \(folder)") }
    }
}

private func makeFolders(_ path: String) throws(StorageError) {
    guard mkdir(path, 0o755) != 0 && errno != EEXIST else { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
        throw failure("create \(path)")
    }
    try makeFolders(String(path[..<slash]))
    guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw failure("create \(path)") }
}

/// Call at once after the call that failed.
private func failure(_ doing: String) -> StorageError {
    StorageError(
        "cannot \(doing): \(String(cString: strerror(errno)))", isAboutTheObject: [ENAMETOOLONG, EFBIG].contains(errno))
}
