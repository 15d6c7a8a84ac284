internal import CCurl
public import EventLoops

/// HTTP/1.1 and HTTP/2 over libcurl, many exchanges at a time on one event loop, connections kept for the next request.
///
/// Redirects are not followed, cookies not kept, bodies not decompressed: what the server says is what the caller
/// gets. The usual proxy variables (`https_proxy`, `no_proxy`, ...) apply. A process that speaks TLS should ignore
/// SIGPIPE.
public actor HTTPClient {
    public struct Configuration: Sendable {
        /// More requests to one host wait for a free connection; their timeout runs meanwhile. 0 means no limit.
        public var maximumConnectionsPerHost: Int
        /// A PEM file to trust instead of the system's certificate authorities.
        public var certificateAuthorities: String?

        public init(maximumConnectionsPerHost: Int = 64, certificateAuthorities: String? = nil) {
            self.maximumConnectionsPerHost = maximumConnectionsPerHost
            self.certificateAuthorities = certificateAuthorities
        }
    }

    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let configuration: Configuration
    /// Unsafe for `deinit` alone, when nobody else has it any more.
    private nonisolated(unsafe) var multi: Multi?
    private var isStopped = false
    private var lastNumber: UInt64 = 0
    private var exchanges: [UInt64: Exchange] = [:]
    /// By the address of the easy handle.
    private var numbers: [UInt: UInt64] = [:]

    /// Of streams, until nobody reads them any more.
    private var bodies: [UInt64: IncomingBody] = [:]

    private struct Exchange {
        let transfer: Transfer
        let end: (Result<HTTPResponse, HTTPError>) -> Void
    }

    public init(on loop: EventLoop, configuration: Configuration = Configuration()) {
        _ = Self.globalState
        self.loop = loop
        self.configuration = configuration
    }

    /// On the loop, as all of it. Not an isolated deinit: over that one the optimizer of Swift 6.3 fails in the rooms that use
    /// this one ("circular reference").
    deinit {
        guard let multi else { return }
        nonisolated(unsafe) let last = multi
        Task(executorPreference: loop) { last.close() }
    }

    /// libcurl's own set-up happens once a process, before any handle is made.
    private static let globalState: CURLcode = curl_global_init(Int(CURL_GLOBAL_SSL | CURL_GLOBAL_WIN32))

    /// Sends the request and waits for the complete response. Cancelling the task ends the exchange at once
    /// (`cancelled`).
    public func send(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponse {
        let transfer = try Transfer(request, certificateAuthorities: configuration.certificateAuthorities)
        lastNumber += 1
        let number = lastNumber
        let result: Result<HTTPResponse, HTTPError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                begin(number, Exchange(transfer: transfer) { continuation.resume(returning: $0) })
            }
        } onCancel: {
            Task { await self.cancel(number) }
        }
        return try result.get()
    }

    /// Sends the request and waits for the head of the response; its body is read as it comes. Cancelling the task ends the exchange at once
    /// (`cancelled`).
    public func open(_ request: HTTPRequest) async throws(HTTPError) -> HTTPResponseStream {
        let body = IncomingBody()
        let transfer = try Transfer(request, certificateAuthorities: configuration.certificateAuthorities, to: body)
        lastNumber += 1
        let number = lastNumber
        bodies[number] = body
        let head: Result<HTTPResponse, HTTPError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                body.awaitHead(continuation)
                begin(number, Exchange(transfer: transfer) { body.end($0) })
            }
        } onCancel: {
            Task { await self.cancel(number) }
        }
        do throws(HTTPError) {
            return HTTPResponseStream(try head.get(), number: number, of: self)
        } catch {
            bodies[number] = nil
            throw error
        }
    }

    /// What has come of a stream's body; waits for it. `nil` at its end.
    func read(_ number: UInt64) async throws(HTTPError) -> [UInt8]? {
        guard let body = bodies[number] else { return nil }
        let result: Result<[UInt8]?, HTTPError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if Task.isCancelled { cancel(number) }
                body.read(continuation)
                if body.takePause() { exchanges[number]?.transfer.resume() }
            }
        } onCancel: {
            Task { await self.cancel(number) }
        }
        return try result.get()
    }

    /// Nobody reads it any more.
    func close(_ number: UInt64) {
        cancel(number)
        bodies[number] = nil
    }

    /// Everything that may change at an `await` is looked at here, where there is none.
    private func begin(_ number: UInt64, _ exchange: Exchange) {
        exchanges[number] = exchange
        numbers[UInt(bitPattern: exchange.transfer.easy)] = number
        // `cancel` may have come and gone before there was anything to cancel.
        guard !Task.isCancelled else { return cancel(number) }
        do throws(HTTPError) {
            let status = try startedMulti().add(exchange.transfer.easy)
            guard status == CURLM_OK else {
                throw HTTPError(.invalidRequest, String(cString: curl_multi_strerror(status)))
            }
        } catch {
            end(number, .failure(error))
        }
    }

    /// Ends every exchange with `stopped` and closes the connections. Later requests end the same way.
    public func shutdown() {
        isStopped = true
        for number in exchanges.keys { end(number, .failure(HTTPError(.stopped, "the HTTP client was shut down"))) }
        multi?.close()
        multi = nil
    }

    private func startedMulti() throws(HTTPError) -> Multi {
        if isStopped { throw HTTPError(.stopped, "the HTTP client was shut down") }
        if let multi { return multi }
        // `completed` runs on the loop, which is this actor's executor.
        let multi = Multi(on: loop, maximumConnectionsPerHost: configuration.maximumConnectionsPerHost) {
            [weak self] easy, result in
            self?.assumeIsolated { $0.completed(easy, result) }
        }
        guard let multi else { throw HTTPError(.invalidRequest, "libcurl has no memory left") }
        self.multi = multi
        return multi
    }

    private func completed(_ easy: UInt, _ result: CURLcode) {
        guard let number = numbers[easy], let exchange = exchanges[number] else { return }
        end(number, exchange.transfer.outcome(result))
    }

    private func cancel(_ number: UInt64) {
        end(number, .failure(HTTPError(.cancelled, "the task was cancelled")))
    }

    private func end(_ number: UInt64, _ result: Result<HTTPResponse, HTTPError>) {
        guard let exchange = exchanges.removeValue(forKey: number) else { return }
        numbers[UInt(bitPattern: exchange.transfer.easy)] = nil
        multi?.remove(exchange.transfer.easy)
        exchange.end(result)
    }
}
