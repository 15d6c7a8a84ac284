internal import CEpoll
internal import Glibc

/// The listening socket and the readiness file.
struct Endpoint: Sendable {
    let settings: ActorSettings

    /// Makes the folder, and takes away what an actor that was killed has left there.
    func clear() throws(StartError) {
        try makeFolders()
        try removeStaleSocket()
        guard unlink(settings.readyPath) == 0 || errno == ENOENT else { throw cannotCreate(ready, reason(errno)) }
    }

    /// - Returns: a listening socket that doesn't block.
    func bind() throws(StartError) -> Int32 {
        let descriptor = try newSocket()
        var status = try withAddress { Glibc.bind(descriptor, $0, $1) }
        if status == 0, let mode = settings.socketMode { status = chmod(settings.socketPath, mode) }
        if status == 0 { status = listen(descriptor, 128) }
        guard status == 0 else {
            let error = errno
            close(descriptor)
            throw cannotCreate(socketName, reason(error))
        }
        return descriptor
    }

    /// The sidecar waits for this file.
    func announce() throws(StartError) {
        let descriptor = open(settings.readyPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw cannotCreate(ready, reason(errno)) }
        defer { close(descriptor) }
        guard write(descriptor, "ready\n", 6) == 6 else { throw cannotCreate(ready, reason(errno)) }
    }

    /// From here on no new connection finds its way.
    func withdraw() {
        unlink(settings.readyPath)
        unlink(settings.socketPath)
    }

    // MARK: Steps

    private func makeFolders() throws(StartError) {
        var path = ""
        for part in settings.folder.split(separator: "/", omittingEmptySubsequences: false) {
            path += part.isEmpty ? "/" : (path.isEmpty || path.hasSuffix("/") ? "" : "/") + part
            guard mkdir(path, 0o777) == 0 || errno == EEXIST || errno == EROFS || errno == EACCES else {
                throw cannotCreate("the folder \(settings.folder)", reason(errno))
            }
        }
        guard access(settings.folder, W_OK | X_OK) == 0 else {
            throw cannotCreate("the folder \(settings.folder)", reason(errno))
        }
    }

    private func removeStaleSocket() throws(StartError) {
        var status = stat()
        guard lstat(settings.socketPath, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw cannotCreate(socketName, "something else than a socket is there already")
        }
        let probe = try newSocket()
        defer { close(probe) }
        let connected = try withAddress { connect(probe, $0, $1) }
        // A full backlog says EAGAIN: somebody listens there.
        guard connected != 0 && errno != EAGAIN else {
            throw cannotCreate(socketName, "another runtime is listening there")
        }
        guard unlink(settings.socketPath) == 0 else { throw cannotCreate(socketName, reason(errno)) }
    }

    private func newSocket() throws(StartError) -> Int32 {
        let kind = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let descriptor = socket(AF_UNIX, Int32(kind), 0)
        guard descriptor >= 0 else { throw cannotCreate(socketName, reason(errno)) }
        return descriptor
    }

    private func withAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) throws(StartError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        let path = Array(settings.socketPath.utf8)
        guard path.count < room else {
            throw cannotCreate(socketName, "the path has \(path.count) bytes, the system allows \(room - 1)")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    // MARK: Words

    private var socketName: String { "the socket \(settings.socketPath)" }
    private var ready: String { "the readiness file \(settings.readyPath)" }

    private func reason(_ error: Int32) -> String { String(cString: strerror(error)) }

    private func cannotCreate(_ what: String, _ reason: String) -> StartError {
        StartError("can't create \(what): \(reason)", exitCode: StartError.cannotCreate)
    }
}
