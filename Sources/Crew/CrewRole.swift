internal import ActorKit

/// The actors that close a route. The sidecar sends to them by itself; no route names them.
public enum CrewRole: String, Sendable, CaseIterable {
    /// Keeps what went well.
    case happyEnd = "happy-end"
    /// Keeps what failed.
    case errorEnd = "error-end"
}

/// Serves as `role` until SIGTERM, then exits the process. Settings come from the environment.
public func runCrew(_ role: CrewRole) async {
    switch role {
    case .happyEnd: await HappyEnd.main()
    case .errorEnd: await ErrorEnd.main()
    }
}
