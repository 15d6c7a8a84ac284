internal import ActorKit
internal import Crypto
internal import EventLoops
internal import HTTPClient
internal import Synchronization

/// Keeps closed envelopes, whole and byte for byte.
final class Keeper: Sendable {
    private let prefix: String
    private let store: (any ResultStore)?
    private let recent = Mutex(RecentTimestamps())

    convenience init(_ role: EndRole, environment: [String: String]) throws(StartError) {
        let settings = try CrewSettings(role, environment: environment)
        switch settings.storage {
        case .folder(let path): self.init(prefix: settings.prefix, store: try FolderStore(path))
        case .s3(let location):
            self.init(
                prefix: settings.prefix,
                store: S3Store(location, client: HTTPClient(on: EventLoop(name: "troupe-s3")), retries: .standard))
        case .nowhere:
            Log().warning("envelopes are not stored: neither TROUPE_RESULTS_DIR nor TROUPE_S3_BUCKET is set")
            self.init(prefix: settings.prefix, store: nil)
        }
    }

    init(prefix: String, store: (any ResultStore)?) {
        self.prefix = prefix
        self.store = store
    }

    /// - Throws: `HandlerError` of type `StorageError`, so that the sidecar tries again later.
    func keep(_ message: RawJSON, _ context: Context) async throws(HandlerError) {
        guard let store else { return }
        let digest = SHA256.hash(data: message.bytes)
        let key = ResultKey(
            prefix: prefix, timestamp: timestamp(context.headers, digest), actor: context.route.actors.last,
            id: context.id,
            digest: digest)
        do {
            try await store.put(Array(message.bytes), at: key.text)
        } catch {
            throw HandlerError(type: "StorageError", "cannot store \(key.text): \(error)")
        }
        context.log.info("stored", ["key": key.text])
    }

    /// A redelivered envelope has the same bytes, and shall get the same key: then it overwrites itself instead of
    /// showing up twice. The time at which the route ended is the same for every delivery where the sidecar notes it
    /// in the headers; without that note this process remembers what it has used for the latest envelopes.
    private func timestamp(_ headers: Headers, _ digest: SHA256Digest) -> String {
        if let noted = headers["troupe-ended-at"]?.string, noted.isTimestamp { return noted }
        return recent.withLock { $0.timestamp(for: digest) }
    }
}

/// The timestamps of the latest envelopes, by what is in them.
struct RecentTimestamps {
    private var byDigest: [SHA256Digest: String] = [:]
    /// Circular, so that the oldest makes room.
    private var digests: [SHA256Digest] = []
    private var next = 0
    private let capacity: Int

    init(capacity: Int = 4096) { self.capacity = capacity }

    mutating func timestamp(for digest: SHA256Digest) -> String {
        if let known = byDigest[digest] { return known }
        let now = Timestamp.now()
        if digests.count < capacity {
            digests.append(digest)
        } else {
            byDigest[digests[next]] = nil
            digests[next] = digest
            next = (next + 1) % capacity
        }
        byDigest[digest] = now
        return now
    }
}

extension String {
    /// `2026-11-21T09:30:00.123456Z`, and nothing that a path could mind.
    var isTimestamp: Bool {
        let pattern = Array("0000-00-00T00:00:00.000000Z".utf8)
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return utf8.count == pattern.count
            && zip(utf8, pattern).allSatisfy { $1 == UInt8(ascii: "0") ? digits.contains($0) : $0 == $1 }
    }
}
