public import FoundationEssentials

/// An actor whose payloads are Swift values. Mark it `@main`, and it is a complete program:
///
///     import ActorKit
///
///     @main struct Greeter: Handler {
///         func handle(_ name: String, _ context: Context) async throws -> String { "Hello, \(name)!" }
///     }
///
/// What it returns goes to the next actor of the route. `Output` may be a `FanOut` (each result becomes an envelope
/// of its own) or optional (`nil` ends the route here). What it throws becomes an error reply: the sidecar retries,
/// or sends the envelope to `error-end`.
///
/// Calls run on Swift's global executor, `TROUPE_CONCURRENCY` of them at a time (1 unless set).
public protocol Handler: Sendable {
    associatedtype Input: Decodable & Sendable
    associatedtype Output: Encodable & Sendable

    /// Called once, before the actor says that it is ready: the place to load a model or to check settings.
    /// - Throws: `StartError` chooses the exit code and message; anything else exits with 70.
    init() async throws

    func handle(_ input: Input, _ context: Context) async throws -> Output

    /// Reads inputs. Dates are ISO 8601 unless you give another.
    static var decoder: JSONDecoder { get }
    /// Writes outputs: dates as ISO 8601, keys sorted (so that equal outputs are equal bytes) unless you give another.
    static var encoder: JSONEncoder { get }
}

extension Handler {
    public static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }

    public static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    /// Serves the sidecar until SIGTERM, then exits.
    public static func main() async {
        await ActorProcess.run(.payload) {
            try await LoadedHandler(Self())
        }
    }
}

/// A `Handler` between bytes and values.
struct TypedPayloads<H: Handler>: Sendable {
    private let handler: H
    private let decoder = H.decoder
    private let encoder = H.encoder

    init(_ handler: H) { self.handler = handler }

    func handle(_ payload: RawJSON, _ context: Context) async throws -> [RawJSON] {
        let input: H.Input
        do {
            input = try decoder.decode(H.Input.self, from: Data(payload.bytes))
        } catch let error as DecodingError {
            throw PayloadError(error, payload: payload)
        }
        let output = try await handler.handle(input, context)
        let results = (output as? any ManyResults)?.eachResult ?? [output]
        return try results.map { try RawJSON([UInt8](encoder.encode($0))) }
    }
}
