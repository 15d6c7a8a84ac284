internal import ActorKit

/// The actors that come with Troupe.
public enum CrewRole: String, Sendable, CaseIterable {
    /// Keeps what went well. The sidecar sends to it by itself; no route names it.
    case happyEnd = "happy-end"
    /// Keeps what failed, and is named by no route either.
    case errorEnd = "error-end"
    /// Puts the children of a fan-out together again.
    case fanIn = "fan-in"
}

/// Serves as `role` until SIGTERM, then exits the process. Settings come from the environment.
public func runCrew(_ role: CrewRole) async {
    switch role {
    case .happyEnd: await HappyEnd.main()
    case .errorEnd: await ErrorEnd.main()
    case .fanIn: await FanIn.main()
    }
}
