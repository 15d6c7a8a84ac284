extension Endpoint {
    /// Reads `amqp://user:password@host:port/vhost` or `amqps://...`, percent-decoded (the AMQP URI specification).
    ///
    /// Not with `amqp_parse_url`, which refuses percent-encoded characters beyond ASCII and takes a missing host for
    /// `localhost`.
    /// - Throws: `AMQPError` `.invalidURL`; its message leaves the URL out, which holds a password.
    public init(url: String) throws(AMQPError) {
        let schemes = [("amqp://", nil, 5672), ("amqps://", TLS(), 5671)]
        guard let (scheme, tls, defaultPort) = schemes.first(where: { url.hasPrefix($0.0) }) else {
            throw AMQPError(.invalidURL, "a broker's URL begins with amqp:// or amqps://")
        }
        guard let parts = Parts(url.utf8.dropFirst(scheme.utf8.count)) else {
            throw AMQPError(
                .invalidURL,
                "expected \(scheme)user:password@host:port/vhost, special characters percent-encoded")
        }
        self.init(
            host: parts.host, port: parts.port ?? defaultPort, virtualHost: parts.virtualHost ?? "/",
            username: parts.login?.user ?? "guest", password: parts.login?.password ?? "guest", tls: tls)
    }

    /// What stands behind the scheme; `nil` where that is no such URL.
    private struct Parts {
        var login: (user: String, password: String)?
        var host: String
        var port: Int?
        var virtualHost: String?

        init?(_ text: Substring.UTF8View) {
            // These stand for themselves nowhere in a URL of ours: no query, no fragment, no space.
            guard text.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"?#\"<>\\^`{|}".utf8.contains($0) }) else { return nil }
            var authority = text
            if let slash = text.firstIndex(of: UInt8(ascii: "/")) {
                authority = text[..<slash]
                guard let name = Self.decoded(text[text.index(after: slash)...]) else { return nil }
                virtualHost = name
            }
            if let at = authority.firstIndex(of: UInt8(ascii: "@")) {
                let login = authority[..<at].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
                guard login.count == 2, let user = Self.decoded(login[0]), let password = Self.decoded(login[1]) else {
                    return nil
                }
                self.login = (user, password)
                authority = authority[authority.index(after: at)...]
            }
            var port = authority[...]
            if authority.first == UInt8(ascii: "["), let end = authority.firstIndex(of: UInt8(ascii: "]")) {
                host = String(Substring(authority[..<end].dropFirst()))
                port = authority[authority.index(after: end)...]
            } else {
                let end = authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.endIndex
                guard let name = Self.decoded(authority[..<end]) else { return nil }
                host = name
                port = authority[end...]
            }
            guard !host.isEmpty else { return nil }
            if !port.isEmpty {
                guard port.first == UInt8(ascii: ":"), let number = UInt16(Substring(port.dropFirst())), number > 0,
                    port.dropFirst().first != UInt8(ascii: "+")
                else { return nil }
                self.port = Int(number)
            }
        }

        /// Percent-decoded; `nil` for what is not UTF-8 then, for NUL, which ends a text for the library, and for
        /// delimiters that stand where they delimit nothing.
        private static func decoded(_ text: Substring.UTF8View) -> String? {
            var bytes: [UInt8] = []
            var rest = text
            while let byte = rest.popFirst() {
                if byte == UInt8(ascii: "%") {
                    guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue)
                    else {
                        return nil
                    }
                    bytes.append(high << 4 | low)
                } else if "/@:[]".utf8.contains(byte) {
                    return nil
                } else {
                    bytes.append(byte)
                }
            }
            return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
        }

        private static func hexValue(_ byte: UInt8) -> UInt8? {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
            default: nil
            }
        }
    }
}
