/// How a connection is made.
public struct ConnectionSettings: Sendable {
    /// `postgresql://user:password@host:port/database?option=value` or libpq's `keyword=value` form.
    public var url: String
    public var applicationName: String
    /// For the whole of a connection's making: look-up, TCP, TLS, login.
    public var connectTimeout: Duration
    /// The server ends a statement that takes longer (SQLSTATE 57014); `nil`: no limit.
    public var statementTimeout: Duration?
    /// Off behind a pooler that hands each transaction to another server connection.
    public var usesPreparedStatements: Bool

    public init(
        url: String, applicationName: String = "troupe", connectTimeout: Duration = .seconds(5),
        statementTimeout: Duration? = .seconds(30), usesPreparedStatements: Bool = true
    ) {
        self.url = url
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.usesPreparedStatements = usesPreparedStatements
    }

    /// What libpq has to say against the URL, `nil` when nothing. Does not connect.
    public var problem: String? { checkConnectionString(url) }
}
