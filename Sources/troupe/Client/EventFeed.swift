import EventLoops
import HTTPClient

/// An event stream of the gateway that goes on over every break, without a gap and without telling anything twice.
struct EventFeed: Sendable {
    let client: GatewayClient
    let path: String

    enum Occurrence: Sendable {
        case connected
        case event(EventStreamParser.Event)
        /// The gateway has ended the stream: because all is told, or because it stops.
        case closed
        /// There is none just now; it will be opened again after this time.
        case broken(GatewayError?, retryIn: Duration)
    }

    enum Progress: Sendable {
        case goOn
        /// After a stream that has closed without all that was expected: from the first event on.
        case startOver
        case finished
    }

    /// Returns when `handle` says so.
    /// - Throws: `GatewayError` when there is no hope, `CancellationError`, and what `handle` throws.
    func run(_ handle: @Sendable (Occurrence) async throws -> Progress) async throws {
        var reconnection = Reconnection()
        var last = ""
        while true {
            let pause: Duration
            var trouble: GatewayError?
            do {
                switch try await read(after: &last, &reconnection, handle) {
                case .goOn: break
                case .startOver: last = ""
                case .finished: return
                }
                pause = reconnection.endedEarly()
            } catch let error as GatewayError {
                try Task.checkCancellation()
                guard case .wait(let duration) = reconnection.failed(error) else { throw error }
                (pause, trouble) = (duration, error)
            }
            if try await handle(.broken(trouble, retryIn: pause)) == .finished { return }
            try await Task.sleep(for: pause)
        }
    }

    private func read(
        after last: inout String, _ reconnection: inout Reconnection,
        _ handle: @Sendable (Occurrence) async throws -> Progress
    ) async throws -> Progress {
        let stream = try await client.openStream(path, lastEventID: last)
        reconnection.connected()
        var parser = EventStreamParser(after: last)
        if try await handle(.connected) == .finished { return .finished }
        while let bytes = try await next(of: stream) {
            reconnection.progressed()
            for event in try parser.parse(bytes) where try await handle(.event(event)) == .finished {
                return .finished
            }
            last = parser.lastEventID
        }
        return try await handle(.closed)
    }

    private func next(of stream: HTTPResponseStream) async throws(GatewayError) -> [UInt8]? {
        do throws(HTTPError) { return try await stream.next() } catch {
            throw GatewayError(away: error, url: client.url)
        }
    }
}
