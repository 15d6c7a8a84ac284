public import Envelopes

/// What the runtime answered, read strictly.
public enum RuntimeReply: Sendable, Hashable {
    /// In order; none means that the handler ends this envelope here.
    case results([Result])
    case error(HandlerError)

    public struct Result: Sendable, Hashable {
        /// `nil` where the reply has none, which only an end actor's may.
        public var payload: RawJSON?
        public var route: RawJSON?
        public var headers: RawJSON?
        /// Other top-level members of a whole envelope that came back, without those that only the framework sets.
        public var unknown: [RawJSON.Member] = []
    }

    /// A handler's error as the runtime reports it.
    public struct HandlerError: Sendable, Hashable {
        /// `processing_error`, `msg_parsing_error`, ...
        public var code: String
        /// An object with `message`, `type`, `traceback`, as it came.
        public var details: RawJSON?

        public init(code: String, details: RawJSON? = nil) {
            self.code = code
            self.details = details
        }

        /// With details of our own making.
        public init(code: String, message: String) {
            self.code = code
            details = RawJSON { writer in
                writer.beginObject()
                writer.name("message")
                writer.append(string: message)
                writer.endObject()
            }
        }

        public var message: String? { details?["message"]?.string }
    }

    /// - Throws: `HandlerError` `runtime_error` for bytes that are no reply. A reply with an error among its results is
    /// an error as
    ///   a whole: half a fan-out is worth nothing.
    public init(parsing bytes: [UInt8], limits: JSONLimits) throws(HandlerError) {
        let elements: [RawJSON.Element]?
        do { elements = try RawJSON.objects(inArray: bytes, limits: limits) } catch {
            throw HandlerError(code: "runtime_error", message: "the runtime's reply is not JSON: \(error)")
        }
        guard let elements else {
            let kind = (try? RawJSON(bytes, limits: limits))?.kind
            throw HandlerError(
                code: "runtime_error",
                message: "the runtime's reply must be a list, is \(kind.map { "\($0)" } ?? "none")")
        }
        var results: [Result] = []
        for (index, element) in elements.enumerated() {
            guard case .object(let members) = element else {
                let kind = if case .other(let json) = element { "\(json.kind)" } else { "object" }
                throw HandlerError(
                    code: "runtime_error",
                    message: "element \(index) of the runtime's reply must be an object, is \(kind)")
            }
            if let error = members.last(where: { $0.isNamed("error") })?.value, let code = error.string {
                self = .error(HandlerError(code: code, details: members.last { $0.isNamed("details") }?.value))
                return
            }
            results.append(Result(members))
        }
        self = .results(results)
    }
}

extension RuntimeReply.HandlerError: Error {}

extension RuntimeReply.Result {
    fileprivate init(_ members: [RawJSON.Member]) {
        for member in members {
            if member.isNamed("payload") {
                payload = member.value
            } else if member.isNamed("route") {
                route = member.value
            } else if member.isNamed("headers") {
                headers = member.value.nonNull
            } else if !member.isNamed("id") && !member.isNamed("parent_id") {
                unknown.append(member)
            }
        }
    }
}
