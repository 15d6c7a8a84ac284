extension Connection {
    /// Runs `body` between BEGIN and COMMIT. An error that leaves `body` rolls back, and is thrown on. When the rollback fails as
    /// well the connection is closed, so that nobody inherits the transaction.
    ///
    /// Only the body's statements may use the connection meanwhile.
    public nonisolated func withTransaction<Value: Sendable>(
        _ body: @Sendable (Connection) async throws -> Value
    ) async throws -> Value {
        try await query("BEGIN")
        let value: Value
        do {
            value = try await body(self)
        } catch {
            await rollBack()
            throw error
        }
        do {
            try await query("COMMIT")
        } catch {
            await rollBack()
            throw error
        }
        return value
    }

    private nonisolated func rollBack() async {
        // In a task of its own: the rollback must get through also when the caller has been cancelled.
        await Task {
            do throws(PostgreSQLError) {
                try await self.query("ROLLBACK", timeout: .seconds(5))
            } catch {
                await self.close()
            }
        }.value
    }
}
