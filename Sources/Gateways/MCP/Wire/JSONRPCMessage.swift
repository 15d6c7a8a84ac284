internal import Envelopes

/// One JSON-RPC 2.0 message from a client.
enum JSONRPCMessage: Sendable, Hashable {
    case request(JSONRPCRequest)
    case notification(method: String, params: RawJSON)
    /// An answer. We ask nothing, so nobody waits for it.
    case response

    /// - Throws: with the code that JSON-RPC gives the mistake.
    init(_ json: RawJSON) throws(JSONRPCError) {
        if json.kind == .array {
            throw JSONRPCError(.invalidRequest, "batches are not taken: send one message a request")
        }
        guard json.kind == .object else {
            throw JSONRPCError(.invalidRequest, "a message must be an object, is \(json.kind)")
        }
        let members = json.members
        guard members["jsonrpc"]?.string == "2.0" else {
            throw JSONRPCError(.invalidRequest, "'jsonrpc' must be \"2.0\"")
        }
        guard let methodJSON = members["method"] else {
            guard members["id"] != nil, members["result"] != nil || members["error"] != nil else {
                throw JSONRPCError(.invalidRequest, "'method' is missing")
            }
            self = .response
            return
        }
        guard let method = methodJSON.string else {
            throw JSONRPCError(.invalidRequest, "'method' must be a string, is \(methodJSON.kind)")
        }
        let params = members["params"] ?? .emptyObject
        guard params.kind == .object else {
            throw JSONRPCError(.invalidParams, "'params' must be an object, is \(params.kind)")
        }
        guard let id = members["id"] else {
            self = .notification(method: method, params: params)
            return
        }
        guard id.kind == .string || id.kind == .number, id.bytes.count <= 300 else {
            throw JSONRPCError(.invalidRequest, "'id' must be a string or a number of at most 300 bytes")
        }
        self = .request(JSONRPCRequest(id: id.detached, method: method, params: params))
    }
}

struct JSONRPCRequest: Sendable, Hashable {
    /// A string or a number, as it came.
    var id: RawJSON
    var method: String
    /// An object.
    var params: RawJSON
}

/// Messages that go to a client.
enum JSONRPC {
    static func response(_ id: RawJSON, _ result: RawJSON) -> RawJSON {
        message { writer in
            writer.name("id")
            writer.append(id)
            writer.name("result")
            writer.append(result)
        }
    }

    /// - Parameter id: `nil` where the request's can't be known.
    static func failure(_ id: RawJSON?, _ error: JSONRPCError) -> RawJSON {
        message { writer in
            writer.name("id")
            writer.append(id ?? .null)
            writer.name("error")
            writer.beginObject()
            writer.name("code")
            writer.append(error.code.rawValue)
            writer.member("message", error.message)
            if let data = error.data {
                writer.name("data")
                writer.append(data)
            }
            writer.endObject()
        }
    }

    /// - Parameter params: writes the members.
    static func notification(_ method: String, _ params: (inout JSONWriter) -> Void) -> RawJSON {
        message { writer in
            writer.member("method", method)
            writer.name("params")
            writer.beginObject()
            params(&writer)
            writer.endObject()
        }
    }

    private static func message(_ members: (inout JSONWriter) -> Void) -> RawJSON {
        RawJSON { writer in
            writer.beginObject()
            writer.member("jsonrpc", "2.0")
            members(&writer)
            writer.endObject()
        }
    }
}
