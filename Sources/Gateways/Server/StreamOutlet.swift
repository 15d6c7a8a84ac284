internal import EventLoops
internal import HummingbirdCore
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypesHTTP1

/// What is left of a connection whose answer has become an event stream: chunks go out, and what comes in is dropped.
///
/// Handlers that read requests go, as there will be none; so does the call that has opened the stream, which thinks that it closes the
/// connection. Lives on the connection's loop.
final class StreamOutlet: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let loop: any NIOCore.EventLoop
    /// Called once.
    var onClose: (() -> Void)?
    private let patience: Duration
    /// `nil` when it is closed.
    private var context: ChannelHandlerContext?
    /// Who has sent more than the client has taken.
    private var sender: CheckedContinuation<Void, any Error>?
    private var timer: Scheduled<Void>?

    private init(loop: any NIOCore.EventLoop, patience: Duration) {
        self.loop = loop
        self.patience = patience
    }

    /// - Parameter channel: the answer's head is written. Closed when that fails.
    static func takeOver(_ channel: any Channel, patience: Duration) throws -> StreamOutlet {
        let pipeline = channel.pipeline.syncOperations
        let outlet = StreamOutlet(loop: channel.eventLoop, patience: patience)
        let last = try pipeline.context(handlerType: HTTPConnectionStateHandler.self)
        // The call's own handler stands behind, and hears no more.
        try pipeline.addHandler(outlet, position: .after(last.handler))
        for handler in [
            last, try pipeline.context(handlerType: ContinueHandler.self),
            try pipeline.context(handlerType: ConnectionGuard.self),
            try pipeline.context(handlerType: HTTP1ToHTTPServerCodec.self),
            try pipeline.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self),
            try pipeline.context(handlerType: HTTPResponseEncoder.self),
        ] {
            pipeline.removeHandler(context: handler, promise: nil)
        }
        // Without that nobody would hear of the client's hanging up.
        outlet.context?.read()
        return outlet
    }

    // MARK: Out

    /// - Parameter sender: goes on when the client can take more.
    func send(_ bytes: [UInt8], _ sender: CheckedContinuation<Void, any Error>) {
        guard let context else { return sender.resume(throwing: CancellationError()) }
        var chunk = context.channel.allocator.buffer(capacity: bytes.count + 16)
        chunk.writeString(String(bytes.count, radix: 16) + "\r\n")
        chunk.writeBytes(bytes)
        chunk.writeString("\r\n")
        context.writeAndFlush(wrapOutboundOut(chunk), promise: nil)
        if context.channel.isWritable { return sender.resume() }
        self.sender = sender
        watch()
    }

    /// The last chunk, and the connection's end when it is sent.
    func end() {
        guard let context else { return }
        let outlet = NIOLoopBound(self, eventLoop: loop)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "0\r\n\r\n"))).whenComplete { _ in
            outlet.value.close()
        }
        watch()
    }

    func close() { context?.close(promise: nil) }

    /// Ends the connection when the client doesn't take what is there for it.
    private func watch() {
        guard timer == nil else { return }
        let outlet = NIOLoopBound(self, eventLoop: loop)
        timer = loop.scheduleTask(in: .nanoseconds(patience.nanosecondsClamped)) { outlet.value.close() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable, let sender else { return }
        timer?.cancel()
        timer = nil
        self.sender = nil
        sender.resume()
    }

    /// Of the call that has opened the stream: what comes from this side comes from ahead of this handler.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) { promise?.succeed() }

    // MARK: In

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func channelReadComplete(context: ChannelHandlerContext) { context.read() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        closed()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { closed() }

    private func closed() {
        context = nil
        timer?.cancel()
        sender?.resume(throwing: CancellationError())
        sender = nil
        onClose?()
        onClose = nil
    }
}
