public import Envelopes
internal import EventLoops
internal import FoundationEssentials

/// Sends one envelope through real handlers: each behind its socket, with a sidecar beside it, over a transport of its
/// own that lives as long as the call. No server is needed. Returns when it has ended, with all that came out of it.
///
///     let end = try await runPipeline(
///         ["greet": .handler(Greeter()), "shout": .handler(Shouter())], route: ["greet", "shout"], payload: "Ada")
///     #expect(try end.result() == "HELLO, ADA!")
///
/// - Parameters:
///   - actors: by name.
///   - headers: of the envelope.
///   - settings: of all sidecars, by the names of `docs/settings.md`, for instance `TROUPE_RETRY_ATTEMPTS`.
///   - timeout: for all of it.
/// - Throws: `PipelineError`. A handler's failure is no error here, but the end of the envelope.
public func runPipeline(
    _ actors: [String: TestActor], route: [String], payload: some Encodable & Sendable, headers: [String: String] = [:],
    settings: [String: String] = [:], timeout: Duration = .seconds(30)
) async throws(PipelineError) -> PipelineEnd {
    let json: RawJSON
    do {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        json = try RawJSON([UInt8](encoder.encode(payload)))
    } catch {
        throw PipelineError(.wrongPayload, "the payload cannot be written as JSON: \(error)")
    }
    return try await runPipeline(
        actors, route: route, payload: json, headers: headers, settings: settings, timeout: timeout)
}

/// The same with a payload that is JSON already.
public func runPipeline(
    _ actors: [String: TestActor], route: [String], payload: RawJSON, headers: [String: String] = [:],
    settings: [String: String] = [:], timeout: Duration = .seconds(30)
) async throws(PipelineError) -> PipelineEnd {
    let names = actors.keys.sorted().joined(separator: ", ")
    if route.isEmpty { throw PipelineError(.wrongRoute, "the route is empty; there are: \(names)") }
    if let unknown = route.first(where: { actors[$0] == nil }) {
        throw PipelineError(.wrongRoute, "no handler for '\(unknown)' of the route; there are: \(names)")
    }
    var envelope = Envelope(
        id: "test-\(UInt64.random(in: 0 ... .max).hexadecimal)", route: Route(actors: route), payload: payload)
    for (name, value) in headers.sorted(by: { $0.key < $1.key }) { envelope.headers[name] = RawJSON(string: value) }
    let pipeline = try await TestPipeline.start(actors, settings)
    let end: Result<PipelineEnd, PipelineError>
    do throws(PipelineError) { end = .success(try await pipeline.send(envelope, timeout: timeout)) } catch {
        end = .failure(error)
    }
    await pipeline.stop()
    pipeline.loop.stop()
    return try end.get()
}
