/// What has come of a response that is read as it comes, and who waits for it. Runs on the client's loop.
///
/// When nobody reads, it takes no more than `limit` bytes: the transfer pauses, and the server can't send on.
final class IncomingBody {
    private var head: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>?
    private var reader: CheckedContinuation<Result<[UInt8]?, HTTPError>, Never>?
    private var bytes: [UInt8] = []
    private var outcome: Result<Void, HTTPError>?
    private var isPaused = false

    private static let limit = 256 << 10

    // MARK: The transfer's side

    func begin(_ response: HTTPResponse) {
        head?.resume(returning: .success(response))
        head = nil
    }

    /// - Returns: whether it was taken; else the same bytes are to come again later.
    func take(_ more: UnsafeRawBufferPointer) -> Bool {
        if let reader {
            self.reader = nil
            reader.resume(returning: .success(Array(more)))
            return true
        }
        guard bytes.count < Self.limit else {
            isPaused = true
            return false
        }
        bytes.append(contentsOf: more)
        return true
    }

    func end(_ result: Result<HTTPResponse, HTTPError>) {
        outcome = result.map { _ in }
        switch result {
        case .success(let response): begin(response)
        case .failure(let error):
            head?.resume(returning: .failure(error))
            head = nil
        }
        if let reader {
            self.reader = nil
            reader.resume(returning: result.map { _ in nil })
        }
    }

    // MARK: The reader's side

    func awaitHead(_ continuation: CheckedContinuation<Result<HTTPResponse, HTTPError>, Never>) { head = continuation }

    /// One at a time: a second one finds the end.
    func read(_ continuation: CheckedContinuation<Result<[UInt8]?, HTTPError>, Never>) {
        if !bytes.isEmpty {
            continuation.resume(returning: .success(bytes))
            bytes = []
        } else if let outcome {
            continuation.resume(returning: outcome.map { nil })
        } else if reader == nil {
            reader = continuation
        } else {
            continuation.resume(returning: .success(nil))
        }
    }

    /// Whether the transfer waits for room that there is now; then it no longer does.
    func takePause() -> Bool {
        guard isPaused, bytes.isEmpty else { return false }
        isPaused = false
        return true
    }
}
