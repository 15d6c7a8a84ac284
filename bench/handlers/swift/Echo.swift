import ActorKit

/// The work that all are given: none. What is measured is what surrounds it.
@main struct Echo: Handler {
    func handle(_ payload: String, _ context: Context) -> String { payload }
}
