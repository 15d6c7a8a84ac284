/// Keeps web pages of others away: a browser says where a page comes from, and by which name it found us (DNS rebinding).
struct OriginCheck: Sendable, Hashable {
    /// Like `https://example.com`, lower case; `*` for all.
    var allowed: [String]
    /// Whether the gateway listens to its own machine only: then it is called by a loopback name, or by one that is allowed.
    var isLoopback: Bool

    /// What is wrong, `nil` when nothing is.
    /// - Parameters:
    ///   - origin: the header, `nil` from what is no browser.
    ///   - host: the header, or `:authority`.
    func problem(origin: String?, host: String?) -> String? {
        if allowed.contains("*") { return nil }
        if let origin = origin?.lowercased(), !isAllowed(origin) {
            return "pages of this Origin are not let in; TROUPE_MCP_ALLOWED_ORIGINS names those that are"
        }
        if isLoopback, let host, !Self.isLoopback(Self.name(of: host)),
            !allowed.contains(where: { Self.name(ofOrigin: $0) == Self.name(of: host.lowercased()) })
        {
            return "this gateway listens on loopback, and is not called by this Host"
        }
        return nil
    }

    private func isAllowed(_ origin: String) -> Bool {
        allowed.contains(origin) || Self.isLoopback(Self.name(ofOrigin: origin))
    }

    private static func name(ofOrigin origin: String) -> String {
        guard let range = origin.firstRange(of: "://") else { return "" }
        return name(of: String(origin[range.upperBound...]))
    }

    /// Without the port.
    private static func name(of host: String) -> String {
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") { return String(host[...end]) }
        return String(host.prefix { $0 != ":" })
    }

    static func isLoopback(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isAddress = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        return isAddress || ["localhost", "[::1]", "::1"].contains(host.lowercased())
    }
}
