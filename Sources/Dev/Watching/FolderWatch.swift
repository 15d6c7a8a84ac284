internal import CEpoll
internal import EventLoops
internal import FoundationEssentials
internal import Glibc

/// Says which files of some folders have changed: written, moved in, moved away. Lives on the loop's thread.
final class FolderWatch {
    private let loop: EventLoop
    private let descriptor: Int32
    private let onChange: (Set<String>) -> Void
    private var folders: [Int32: (path: String, isDeep: Bool)] = [:]
    private var changed: Set<String> = []
    private var timer: EventLoop.Timer?
    private var buffer = [UInt8](repeating: 0, count: 16 << 10)

    /// Editors write, move and remove within moments: what comes together is told together.
    private static let pause = Duration.milliseconds(80)
    private static let most = 2000
    private static let changes = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE | IN_ONLYDIR)
    /// Besides those that begin with a dot.
    private static let ignored: Set<String> = ["__pycache__", "node_modules", "venv"]

    /// `nil` where the system gives us none.
    init?(on loop: EventLoop, onChange: @escaping (Set<String>) -> Void) {
        loop.checkIsolated()
        descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        guard descriptor >= 0 else { return nil }
        self.loop = loop
        self.onChange = onChange
        loop.watch(descriptor, for: .readable) { [weak self] _ in self?.read() }
    }

    func close() {
        loop.unwatch(descriptor)
        Glibc.close(descriptor)
    }

    /// - Parameter isDeep: with all folders below it, those that come later included.
    /// - Returns: whether all of it is watched.
    func add(_ folder: String, isDeep: Bool) -> Bool {
        if let known = folders.values.first(where: { $0.path == folder }), known.isDeep || !isDeep { return true }
        guard folders.count < Self.most else { return false }
        let number = inotify_add_watch(descriptor, folder, Self.changes)
        guard number >= 0 else { return false }
        folders[number] = (folder, isDeep)
        guard isDeep else { return true }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { !Self.isIgnored($0) && Self.isFolder("\(folder)/\($0)") }
            .allSatisfy { add("\(folder)/\($0)", isDeep: true) }
    }

    private static func isIgnored(_ name: String) -> Bool { name.hasPrefix(".") || ignored.contains(name) }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder
    }

    private func read() {
        while case let count = Glibc.read(descriptor, &buffer, buffer.count), count > 0 {
            var place = 0
            while place + MemoryLayout<inotify_event>.size <= count {
                let event = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: inotify_event.self) }
                let start = place + MemoryLayout<inotify_event>.size
                let name = String(
                    decoding: buffer[start..<start + Int(event.len)].prefix { $0 != 0 }, as: UTF8.self)
                place = start + Int(event.len)
                take(event, name)
            }
        }
        guard !changed.isEmpty, timer == nil else { return }
        timer = loop.schedule(after: Self.pause) { [weak self] in self?.tell() }
    }

    private func take(_ event: inotify_event, _ name: String) {
        guard let folder = folders[event.wd] else { return }
        if event.mask & UInt32(IN_IGNORED) != 0 {
            folders[event.wd] = nil
            return
        }
        guard !name.isEmpty, !Self.isIgnored(name) else { return }
        let path = "\(folder.path)/\(name)"
        if event.mask & UInt32(IN_ISDIR) != 0 {
            // What is in it came before we could look.
            if folder.isDeep, Self.isFolder(path), add(path, isDeep: true) { addFiles(of: path) }
        } else if event.mask & UInt32(IN_CREATE) == 0 {
            changed.insert(path)
        }
    }

    private func addFiles(of folder: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where !Self.isIgnored(name) && !Self.isFolder("\(folder)/\(name)") {
            changed.insert("\(folder)/\(name)")
        }
    }

    private func tell() {
        timer = nil
        let all = changed
        changed = []
        onChange(all)
    }
}
