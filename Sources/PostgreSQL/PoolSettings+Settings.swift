public import Settings

extension PoolSettings {
    /// Reads `TROUPE_DATABASE_*`; mistakes go to `settings.problems`, without the URL, which may hold a password.
    public init(_ settings: inout Settings, applicationName: String) {
        let url = settings.required("DATABASE_URL", "postgresql://user:password@host:5432/database")
        var connection = ConnectionSettings(url: url, applicationName: applicationName)
        if !url.isEmpty, let problem = connection.problem {
            settings.problem("TROUPE_DATABASE_URL", "is no connection string for PostgreSQL: \(problem)")
        }
        connection.connectTimeout = settings.duration(
            "DATABASE_CONNECT_TIMEOUT", default: connection.connectTimeout, in: .milliseconds(100)...(.seconds(300)))
        connection.statementTimeout = settings.duration(
            "DATABASE_STATEMENT_TIMEOUT", default: .seconds(30), in: .milliseconds(100)...(.seconds(3600)))
        connection.usesPreparedStatements = settings.flag("DATABASE_PREPARED_STATEMENTS", default: true)
        self.init(
            connection: connection, size: settings.integer("DATABASE_POOL_SIZE", default: 10, in: 1...1000))
    }
}
