/// Where requests come in.
enum Listener: Sendable, Hashable {
    /// The only port: serves everything.
    case all
    /// Where sidecars have a port of their own: the one for everybody else.
    case outside
    /// The one for sidecars and monitoring.
    case inside
}
