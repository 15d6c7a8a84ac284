internal import Hummingbird
internal import NIOCore

/// What is known of a request beside itself.
struct GatewayContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// For answers that outlive their call.
    let channel: any Channel
    /// The other end's address, without its port.
    let peer: String
    /// Filled in when the request is let in.
    var principal = Principal.anybody
    var listener = Listener.all

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        peer = source.channel.remoteAddress?.ipAddress ?? "unknown"
    }
}
