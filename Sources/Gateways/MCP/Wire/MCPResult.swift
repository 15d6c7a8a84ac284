internal import Envelopes

/// What a method answers: the members of `result`, and what goes around them in a protocol version.
struct MCPResult: Sendable {
    /// `complete` or `task`.
    var type = "complete"
    var meta: [RawJSON.Member] = []
    var cache: Cache?
    var members: @Sendable (inout JSONWriter) -> Void

    /// For how long a client may keep a result.
    struct Cache: Sendable {
        var milliseconds: Int
        /// Whether it is the same for everybody.
        var isPublic = false
    }

    static let empty = MCPResult { _ in }

    init(
        type: String = "complete", meta: [RawJSON.Member] = [], cache: Cache? = nil,
        members: @escaping @Sendable (inout JSONWriter) -> Void
    ) {
        self.type = type
        self.meta = meta
        self.cache = cache
        self.members = members
    }

    func json(_ version: ProtocolVersion) -> RawJSON {
        RawJSON { writer in
            writer.beginObject()
            if version.isStateless {
                writer.member("resultType", type)
                if let cache {
                    writer.name("ttlMs")
                    writer.append(cache.milliseconds)
                    writer.member("cacheScope", cache.isPublic ? "public" : "private")
                }
            }
            members(&writer)
            var meta = meta
            if version.isStateless { meta.append(.init(name: RequestMeta.Key.serverInfo, value: ServerInfo.json)) }
            if !meta.isEmpty {
                writer.name("_meta")
                writer.append(RawJSON(object: meta))
            }
            writer.endObject()
        }
    }
}

/// Who we are.
enum ServerInfo {
    static let version = "0.1"

    static let json = RawJSON { writer in
        writer.beginObject()
        writer.member("name", "troupe-gateway")
        writer.member("title", "Troupe")
        writer.member("version", version)
        writer.endObject()
    }

    static let instructions = """
        Troupe runs durable pipelines of actors. Calling a tool submits an envelope, which is not lost whatever crashes; the answer names \
        it in _meta["troupe/envelopeId"]. What becomes of it: the resource troupe://envelopes/{id}, or the tool troupe_status. A call \
        that takes long is best made as a task.
        """
}
