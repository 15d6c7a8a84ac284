internal import Envelopes
internal import HTTPClient
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// Reads bodies and parameters, within the limits.
struct RequestReading: Sendable {
    /// Bytes.
    let bodyLimit: Int
    let nestingLimit: Int

    func bytes(of request: Request) async throws -> [UInt8] {
        let tooLarge = Problem(.bodyTooLarge, "the body is larger than \(bodyLimit) bytes")
        // Said before it is sent: nothing needs to be read.
        if let length = request.headers[.contentLength].flatMap(Int.init), length > bodyLimit { throw tooLarge }
        let buffer: ByteBuffer
        do {
            buffer = try await request.body.collect(upTo: bodyLimit)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        } catch let error as Hummingbird.HTTPError where error.status == .contentTooLarge {
            throw tooLarge
        } catch {
            throw Problem(.invalidRequest, "the body ended early")
        }
        return Array(buffer.readableBytesView)
    }

    /// A JSON object's members.
    func members(of request: Request) async throws -> [RawJSON.Member] {
        try members(of: await bytes(of: request))
    }

    /// The same, where the body may be missing.
    func membersIfAny(of request: Request) async throws -> [RawJSON.Member] {
        let body = try await bytes(of: request)
        return body.isEmpty ? [] : try members(of: body)
    }

    /// A JSON object's members.
    func members(of body: some Collection<UInt8>) throws(Problem) -> [RawJSON.Member] {
        guard !body.isEmpty else { throw Problem(.invalidJSON, "the body is empty, expected a JSON object") }
        let json: RawJSON
        do throws(JSONError) { json = try RawJSON(Array(body), limits: limits) } catch { throw Problem(error) }
        guard json.kind == .object else {
            throw Problem(.invalidRequest, "the body must be a JSON object, is \(json.kind)", at: "")
        }
        return json.members
    }

    var limits: JSONLimits { JSONLimits(size: bodyLimit, nesting: nestingLimit) }

    /// The `{id}` of the path, decoded. One that no envelope can have leads to the same 404 as any unknown one.
    func envelopeID(_ context: GatewayContext) throws(Problem) -> String {
        guard let id = context.parameters.get("id")?.percentDecoded, !id.utf8.contains(0), id.utf8.count <= 1000
        else {
            throw Problem(.unknownEnvelope, "no envelope can have this id")
        }
        return id
    }

    /// The `{name}` of the path, decoded. One that no actor can have leads to the same 404 as any unknown one.
    func actorName(_ context: GatewayRouter.Context) throws(Problem) -> String {
        guard let name = context.parameters.get("name")?.percentDecoded, !name.utf8.contains(0) else {
            throw Problem(.unknownActor, "no actor can have this name")
        }
        return name
    }
}

extension [RawJSON.Member] {
    /// The member of that name, the last one where it is there twice.
    subscript(name: String) -> RawJSON? { last { $0.isNamed(name) }?.value }

    /// `nil` when it isn't there or null.
    func string(_ name: String) throws(Problem) -> String? {
        guard let value = self[name], value.kind != .null else { return nil }
        guard let text = value.string else {
            throw Problem(.invalidRequest, "'\(name)' must be a string, is \(value.kind)", at: "/\(name)")
        }
        return text
    }
}
