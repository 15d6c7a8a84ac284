public import Envelopes
public import FoundationEssentials

/// How an envelope has ended.
public struct PipelineEnd: Sendable, Hashable {
    public enum Status: String, Sendable, Hashable { case succeeded, failed, cancelled }

    public var id: String
    public var status: Status
    /// The result; of a failure what its last actor got.
    public var payload: RawJSON
    public var headers: Headers
    /// The actors that it was sent to, as the route was in the end.
    public var route: [String]
    /// `nil` after a success.
    public var error: Failure?
    /// What handlers have emitted while they worked on it, in order.
    public var events: [EmittedEvent] = []
    /// What has come out of it by fan-out, in the order in which it came.
    public var children: [PipelineEnd] = []

    public struct Failure: Sendable, Hashable, CustomStringConvertible {
        /// `processing_error`, `timeout`, ...
        public var code: String
        /// The handler's error, for instance `ValueError`.
        public var type: String?
        public var message: String?
        public var traceback: String?

        public var description: String { [type ?? code, message].compactMap(\.self).joined(separator: ": ") }
    }

    /// The result as a value. Dates are ISO 8601, unless the decoder says otherwise.
    /// - Throws: the envelope's `Failure`, or a `DecodingError`.
    public func result<Value: Decodable>(
        as type: Value.Type = Value.self, _ decoder: JSONDecoder = .iso8601
    ) throws -> Value {
        if let error { throw error }
        return try decoder.decode(type, from: Data(payload.bytes))
    }
}

extension PipelineEnd.Failure: Error {}

extension JSONDecoder {
    public static var iso8601: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }
}

extension PipelineEnd {
    /// - Parameters:
    ///   - envelope: as it came to an end actor.
    ///   - isSuccess: whether to happy-end.
    init(_ envelope: Envelope, isSuccess: Bool) {
        let code = isSuccess ? nil : envelope.payload["error"]?.string ?? "unknown_error"
        self.init(
            id: envelope.id, status: isSuccess ? .succeeded : code == "cancelled" ? .cancelled : .failed,
            payload: isSuccess ? envelope.payload : envelope.payload["original_payload"] ?? .null,
            headers: envelope.headers, route: envelope.route.actors)
        if let code {
            let details = envelope.payload["details"]
            error = Failure(
                code: code, type: details?["type"]?.string, message: details?["message"]?.string,
                traceback: details?["traceback"]?.string)
        }
    }
}
