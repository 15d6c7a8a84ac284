/// Keeps web pages of others away: a browser says where a page comes from, and by which name it found us (DNS rebinding).
struct OriginCheck: Sendable, Hashable {
    /// Origins of pages that are let in, like `https://example.com`, lower case; `*` for all.
    var origins: [String] = []
    /// Names that this gateway is called by, lower case. Their own pages are let in.
    var hosts: [String] = []
    /// Whether the gateway listens to its own machine only: then it is called by a loopback name, or by one of the above.
    var isLoopback: Bool

    /// What is wrong, `nil` when nothing is.
    /// - Parameters:
    ///   - origin: the header, `nil` from what is no browser.
    ///   - host: the header, or `:authority`.
    func problem(origin: String?, host: String?) -> Problem? {
        if let origin, !isAllowed(origin: origin) {
            return Problem(
                .forbiddenOrigin, "pages of this Origin are not let in; TROUPE_GATEWAY_ORIGINS names those that are")
        }
        if let host, !isAllowed(host: host) {
            return Problem(
                .forbiddenOrigin,
                "this gateway is not called by this Host; TROUPE_GATEWAY_HOSTS names those that it has")
        }
        return nil
    }

    func isAllowed(origin: String) -> Bool {
        let name = Self.name(ofOrigin: origin)
        return origins.contains("*") || origins.contains(origin.lowercased()) || Self.isLoopback(name)
            || hosts.contains(name)
    }

    private func isAllowed(host: String) -> Bool {
        let name = Self.name(of: host)
        // Without a list there is nothing to hold a name against, but on loopback it can only be a few.
        guard isLoopback || !hosts.isEmpty, !origins.contains("*") else { return true }
        return hosts.contains(name) || origins.contains { Self.name(ofOrigin: $0) == name }
            || isLoopback && Self.isLoopback(name)
    }

    /// The host of an origin, or of another URL.
    static func name(ofOrigin origin: String) -> String {
        guard let range = origin.firstRange(of: "://") else { return "" }
        return name(of: String(origin[range.upperBound...].prefix { $0 != "/" }))
    }

    /// Without the port, lower case.
    private static func name(of host: String) -> String {
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") { return String(host[...end]) }
        return host.prefix { $0 != ":" }.lowercased()
    }

    static func isLoopback(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isAddress = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        return isAddress || ["localhost", "[::1]", "::1"].contains(host.lowercased())
    }
}
