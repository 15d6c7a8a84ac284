/// Where a broker is and how to log in.
public struct Endpoint: Sendable, Hashable {
    public var host: String
    public var port: Int
    public var virtualHost: String
    public var username: String
    public var password: String
    /// `nil` for plain TCP.
    public var tls: TLS?
    /// Shown in the broker's list of connections.
    public var connectionName: String
    /// Seconds after which a silent peer counts as gone; the broker may ask for less. 0 switches heartbeats off.
    public var heartbeatSeconds: Int
    /// For the connection, the handshake and each step of the set-up.
    public var timeout: Duration

    /// The peer's certificate and host name are always checked.
    public struct TLS: Sendable, Hashable {
        /// PEM file of the authorities to trust.
        public var authorities: String
        /// PEM files of a client certificate and its key.
        public var identity: Identity?

        public struct Identity: Sendable, Hashable {
            public var certificate: String
            public var key: String

            public init(certificate: String, key: String) {
                self.certificate = certificate
                self.key = key
            }
        }

        public init(authorities: String = "/etc/ssl/certs/ca-certificates.crt", identity: Identity? = nil) {
            self.authorities = authorities
            self.identity = identity
        }
    }

    public init(
        host: String = "127.0.0.1", port: Int = 5672, virtualHost: String = "/", username: String = "guest",
        password: String = "guest", tls: TLS? = nil, connectionName: String = "troupe", heartbeatSeconds: Int = 30,
        timeout: Duration = .seconds(10)
    ) {
        self.host = host
        self.port = port
        self.virtualHost = virtualHost
        self.username = username
        self.password = password
        self.tls = tls
        self.connectionName = connectionName
        self.heartbeatSeconds = heartbeatSeconds
        self.timeout = timeout
    }

    /// Host and port, fit for logs.
    public var address: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
