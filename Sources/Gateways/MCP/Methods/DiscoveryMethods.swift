internal import Envelopes

/// What a client is told of us.
extension MCPServer {
    /// `initialize`
    static func initialized(_ version: ProtocolVersion) -> MCPResult {
        MCPResult { writer in
            writer.member("protocolVersion", version.rawValue)
            writeCapabilities(version, to: &writer)
            writer.name("serverInfo")
            writer.append(ServerInfo.json)
            writer.member("instructions", ServerInfo.instructions)
        }
    }

    /// `server/discover`
    func discover() -> MCPResult {
        MCPResult(cache: .init(milliseconds: 3_600_000, isPublic: true)) { writer in
            writer.name("supportedVersions")
            writer.append(strings: ProtocolVersion.stateless.map(\.rawValue))
            Self.writeCapabilities(.july2026, to: &writer)
            writer.member("instructions", ServerInfo.instructions)
        }
    }

    private static func writeCapabilities(_ version: ProtocolVersion, to writer: inout JSONWriter) {
        let flags = { (names: [String]) in
            RawJSON { writer in
                writer.beginObject()
                for name in names {
                    writer.name(name)
                    writer.append(true)
                }
                writer.endObject()
            }
        }
        writer.name("capabilities")
        writer.beginObject()
        for (name, abilities) in [
            ("tools", ["listChanged"]), ("prompts", ["listChanged"]), ("resources", ["subscribe", "listChanged"]),
            ("completions", []), ("logging", []),
        ] {
            writer.name(name)
            writer.append(flags(abilities))
        }
        if version.isStateless {
            writer.name("extensions")
            writer.beginObject()
            writer.name(RequestMeta.Key.tasks)
            writer.append(.emptyObject)
            writer.endObject()
        } else if version >= .november2025 {
            writer.name("tasks")
            writer.append(taskCapabilities)
        }
        writer.endObject()
    }

    private static let taskCapabilities = RawJSON { writer in
        writer.beginObject()
        for name in ["list", "cancel"] {
            writer.name(name)
            writer.append(.emptyObject)
        }
        writer.name("requests")
        writer.beginObject()
        writer.name("tools")
        writer.beginObject()
        writer.name("call")
        writer.append(.emptyObject)
        writer.endObject()
        writer.endObject()
        writer.endObject()
    }
}
