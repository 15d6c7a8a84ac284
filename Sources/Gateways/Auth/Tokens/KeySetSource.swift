internal import EventLoops
internal import HTTPClient
internal import Logging

/// Where the signing keys come from, and those that came last: when the source is away, or talks nonsense, they stay.
actor KeySetSource {
    enum Place: Sendable, Hashable {
        case url(String)
        case file(String)
    }

    nonisolated let place: Place
    private let client: HTTPClient
    private let logger: Logger
    private var refresh: KeySetRefresh
    private var fetching: Task<Void, Never>?
    private(set) var current: KeySet?

    private static let sizeLimit = 1 << 20

    init(_ place: Place, _ client: HTTPClient, refresh: KeySetRefresh, logger: Logger) {
        self.place = place
        self.client = client
        self.refresh = refresh
        self.logger = logger
    }

    /// Fetches the keys at once and then again and again, until the task is cancelled.
    func run() async {
        repeat {
            await fetch()
            try? await Task.sleep(for: refresh.wait(hasKeys: current != nil))
        } while !Task.isCancelled
    }

    /// The keys after a token has named one that isn't there: fetched again, unless that was tried just now.
    func afterUnknownKey() async -> KeySet? {
        if fetching != nil || refresh.mayBegin(now: .now) { await fetch() }
        return current
    }

    /// - Throws: what is wrong with the source.
    func load() async throws(KeySet.Mistake) {
        let bytes: [UInt8]
        switch place {
        case .file(let path):
            do throws(FileErrors) { bytes = Array(try String(file: path).utf8) } catch {
                throw KeySet.Mistake(description: error.description)
            }
        case .url(let url):
            let response: HTTPResponse
            do throws(HTTPError) {
                response = try await client.send(
                    HTTPRequest(
                        .get, url, headers: ["Accept": "application/json"], timeout: .seconds(10),
                        maximumResponseBytes: Self.sizeLimit))
            } catch { throw KeySet.Mistake(description: error.description) }
            guard response.status == 200 else { throw KeySet.Mistake(description: "status \(response.status)") }
            bytes = response.body
        }
        current = try await KeySet(bytes)
    }

    private func fetch() async {
        // One at a time: who comes meanwhile waits for the same answer.
        if let fetching { return await fetching.value }
        refresh.begin(now: .now)
        let task = Task {
            do throws(KeySet.Mistake) { try await load() } catch {
                logger.warning(
                    "signing keys not fetched\(current == nil ? "; no token can be checked" : "; the known ones stay")",
                    metadata: ["source": "\(place.shown)", "error": "\(error)"])
            }
        }
        fetching = task
        await task.value
        fetching = nil
    }
}

extension KeySetSource.Place {
    var shown: String {
        switch self {
        // Queries may hold secrets.
        case .url(let url): String(url.prefix { $0 != "?" })
        case .file(let path): path
        }
    }
}
