internal import CPostgreSQL
internal import EventLoops

/// One call of `query`: waits in the connection's queue, then is prepared and executed. Touched on the connection's loop only.
final class Request {
    enum Step {
        case prepare(name: String)
        /// By the name of a prepared statement, or by its text.
        case execute(name: String?)
    }

    let id: UInt64
    let sql: String
    let parameters: [Parameter]
    var steps: ArraySlice<Step>
    let continuation: CheckedContinuation<Result<Rows, PostgreSQLError>, Never>
    var timer: EventLoop.Timer?
    /// Why the caller doesn't want the result any more; the statement is being cancelled on the server.
    var interruption: PostgreSQLError?

    private var rows: Rows?
    private(set) var error: PostgreSQLError?

    init(
        id: UInt64, sql: String, parameters: [Parameter], steps: [Step],
        continuation: CheckedContinuation<Result<Rows, PostgreSQLError>, Never>
    ) {
        self.id = id
        self.sql = sql
        self.parameters = parameters
        self.steps = steps[...]
        self.continuation = continuation
    }

    /// Takes in one of the results of the current step.
    func take(_ result: QueryResult) {
        switch result.status {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: rows = Rows(result)
        default: error = error ?? result.error
        }
    }

    func finish() {
        if let error {
            // A cancelled statement fails with 57014: say who wanted that.
            continuation.resume(returning: .failure(error.sqlState == .queryCanceled ? interruption ?? error : error))
        } else if let rows {
            // Carried out before the interruption got through: that is the truth, so tell it.
            continuation.resume(returning: .success(rows))
        } else {
            continuation.resume(returning: .failure(PostgreSQLError(.unexpectedResult, "the server sent no result")))
        }
    }

    func fail(_ reason: PostgreSQLError) {
        continuation.resume(returning: .failure(interruption ?? reason))
    }
}
