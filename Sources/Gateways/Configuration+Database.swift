internal import PostgreSQL

extension Configuration {
    var databaseURLProblem: String? { ConnectionSettings(url: databaseURL).problem }

    func connectionSettings(applicationName: String) -> ConnectionSettings {
        ConnectionSettings(
            url: databaseURL, applicationName: applicationName, connectTimeout: databaseConnectTimeout,
            statementTimeout: databaseStatementTimeout, usesPreparedStatements: usesPreparedStatements)
    }
}
