internal import HTTPTypes

/// Who asks, as far as it is known, and what he may do.
struct Principal: Sendable, Hashable {
    /// The same for the same caller on every gateway; `nil` where nobody is asked who he is.
    var id: String?
    var scopes: Set<Scope>
    /// Requests per second; `nil`: as all.
    var rate: Double?
    /// Streams at a time; `nil`: as all.
    var streams: Int?

    /// Without authentication.
    static let anybody = Principal(id: nil, scopes: Set(Scope.allCases))

    func may(_ scope: Scope) -> Bool { scopes.contains(scope) }

    func require(_ scope: Scope) throws(Problem) {
        guard may(scope) else { throw .insufficientScope(scope) }
    }
}

extension Problem {
    static func insufficientScope(_ scope: Scope) -> Problem {
        var problem = Problem(.insufficientScope, "this needs the scope '\(scope.rawValue)'")
        problem.headers[.wwwAuthenticate] = #"Bearer error="insufficient_scope", scope="\#(scope.rawValue)""#
        return problem
    }
}
