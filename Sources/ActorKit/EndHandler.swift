/// An actor at the end of the line (`TROUPE_IS_END_ACTOR=true` at its sidecar): it gets every envelope exactly as it
/// arrived, whatever state it is in, and passes nothing on.
public protocol EndHandler: Sendable {
    /// Called once, before the actor says that it is ready.
    init() async throws

    /// - Parameter message: the whole envelope, byte for byte (less white space around it). A JSON object; nothing
    ///   else has been checked.
    func handle(_ message: RawJSON, _ context: Context) async throws
}

extension EndHandler {
    /// Serves the sidecar until SIGTERM, then exits.
    public static func main() async {
        await ActorProcess.run(.envelope, isEndActor: true) {
            try await LoadedHandler(Self())
        }
    }
}
