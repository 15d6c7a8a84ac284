internal import EventLoops
public import Envelopes
internal import HTTPClient
internal import Logging
public import Transports

/// Brings status reports to the gateway: over the broker, or with HTTP for gateways that want it so.
public protocol Reporter: Sendable {
    /// Makes sure that reports have a place to go to, before there are any.
    func prepare() async

    /// Nobody waits for it; it may get lost with the connection, and the next report tells more anyway.
    func post(_ report: StatusReport) async

    /// Returns once the gateway has it, or the broker keeps it for the gateway.
    func deliver(_ report: StatusReport) async throws(TransportError)

    /// What may be published in its stead, together with other messages; `nil` where it does not go over the broker.
    func message(of report: StatusReport) -> Message?
}

extension Reporter {
    public func message(of report: StatusReport) -> Message? { nil }
}

/// Reports beside the results, in the same confirmed way: a gateway that is away costs no time and no report.
public struct BrokerReporter: Reporter {
    private let transport: any Transport

    public init(over transport: any Transport) { self.transport = transport }

    /// The gateway's queue keeps them until there is a gateway.
    public func prepare() async { await transport.declare(.statusReports) }

    public func post(_ report: StatusReport) async { try? await deliver(report) }

    public func message(of report: StatusReport) -> Message? { Message(report) }

    public func deliver(_ report: StatusReport) async throws(TransportError) {
        do throws(TransportError) { try await transport.publish(Message(report), timeout: nil) } catch {
            // Somebody has deleted the queue: it must be there when the report is tried again.
            if error.code == .unroutable { await prepare() }
            throw error
        }
    }
}

/// For where no gateway is.
public struct NoReporter: Reporter {
    public init() {}
    public func prepare() async {}
    public func post(_ report: StatusReport) async {}
    public func deliver(_ report: StatusReport) async throws(TransportError) {}
}

/// Three calls a hop, as the seed's gateway expects them.
///
/// Progress never delays an envelope: it is sent in the background, in order, and dropped when the gateway is slower
/// than that. A final report or a child's birth is sent again until the gateway has answered.
public actor HTTPReporter: Reporter {
    nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let client: HTTPClient
    private let gateway: String
    private let headers: HTTPHeaders
    private let logger: Logger
    private let progress: AsyncStream<StatusReport>.Continuation
    private let queue: AsyncStream<StatusReport>

    /// - Parameters:
    ///   - gateway: its URL, without a path.
    ///   - key: an API key with the scope `internal`, where the gateway asks for one.
    init(to gateway: String, key: String? = nil, with client: HTTPClient, on loop: EventLoop, logger: Logger) {
        self.gateway = gateway.hasSuffix("/") ? String(gateway.dropLast()) : gateway
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        if let key { headers["Authorization"] = "Bearer \(key)" }
        self.headers = headers
        self.client = client
        self.loop = loop
        self.logger = logger
        (queue, progress) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1024))
    }

    /// Sends progress as it comes, until the task is cancelled.
    func run() async {
        for await report in queue {
            let response = try? await client.send(request(report))
            if response?.isSuccess != true {
                logger.debug("progress not reported", metadata: ["envelope_id": "\(report.envelopeID)"])
            }
        }
    }

    public func prepare() {}

    public func post(_ report: StatusReport) { progress.yield(report) }

    public func deliver(_ report: StatusReport) async throws(TransportError) {
        if report.kind == .progress { return post(report) }
        // These gateways know no such report; see `SidecarConfiguration.takesEvents`.
        if report.kind == .emitted { return }
        var report = report
        var backoff = Backoff(initial: .milliseconds(200), ceiling: .seconds(10))
        while true {
            if Task.isCancelled { throw TransportError(.stopped, "shutting down") }
            let reason: String
            do throws(HTTPError) {
                let response = try await client.send(request(report))
                if response.isSuccess { return }
                if response.status == 413 && report.result != nil {
                    // That it has ended matters more than the result, which the store has.
                    report.result = nil
                    continue
                }
                if [400, 404, 409, 410, 413, 422].contains(response.status) {
                    // The gateway knows no such envelope, or will never take this report.
                    logger.warning(
                        "report refused",
                        metadata: ["envelope_id": "\(report.envelopeID)", "status": "\(response.status)"])
                    return
                }
                reason = "status \(response.status)"
            } catch { reason = "\(error)" }
            let wait = backoff.next()
            logger.warning(
                "report not delivered",
                metadata: ["envelope_id": "\(report.envelopeID)", "reason": "\(reason)", "retry_in": "\(wait.inWords)"])
            await loop.sleep(for: wait)
        }
    }

    private func request(_ report: StatusReport) -> HTTPRequest {
        let id = report.envelopeID.percentEncoded()
        let path = report.kind == .created ? "/envelopes" : "/envelopes/\(id)/\(report.kind.rawValue)"
        let body = report.kind == .created ? creation(of: report) : report.encoded()
        return HTTPRequest(
            .post, gateway + path, headers: headers, body: body, timeout: .seconds(10))
    }

    private func creation(of report: StatusReport) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("id")
        writer.append(string: report.envelopeID)
        writer.name("parent_id")
        writer.append(string: report.parentID ?? "")
        writer.name("actors")
        writer.append(strings: report.actors)
        writer.name("current")
        writer.append(report.currentActorIndex)
        writer.name("route")
        Route(actors: report.actors, current: report.currentActorIndex).write(to: &writer)
        writer.endObject()
        return writer.bytes
    }
}
