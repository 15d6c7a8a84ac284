internal import ActorKit
internal import Crypto
internal import EventLoops
internal import HTTPClient

/// Keeps closed envelopes, whole and byte for byte.
final class Keeper: Sendable {
    private let prefix: String
    private let store: (any ResultStore)?

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

    /// - Throws: `HandlerError` of type `StorageError`, and the sidecar tries again for as long as it takes; of type
    ///   `StorageRefusal` where that would be for ever.
    func keep(_ message: RawJSON, _ context: Context) async throws(HandlerError) {
        guard let store else { return }
        let digest = SHA256.hash(data: message.bytes)
        let key = ResultKey(
            prefix: prefix, timestamp: Self.timestamp(context.headers), actor: context.route.actors.last,
            id: context.id,
            digest: digest)
        do {
            try await store.put(Array(message.bytes), at: key.text)
        } catch {
            let type = error.isAboutTheObject ? "StorageRefusal" : "StorageError"
            throw HandlerError(type: type, "cannot store \(key.text): \(error)")
        }
        context.log.info("stored", ["key": key.text])
    }

    /// Sidecars note when an envelope came in: what a redelivery leaves behind twice gets the same key twice, and
    /// overwrites itself.
    private static func timestamp(_ headers: Headers) -> String {
        headers.submittedAt.flatMap { $0.isTimestamp ? $0 : nil } ?? Timestamp.now()
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
