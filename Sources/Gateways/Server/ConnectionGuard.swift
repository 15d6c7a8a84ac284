internal import EventLoops
internal import Envelopes
internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes

/// Ends connections whose clients hold them without doing their part: a body that drips, an answer that isn't taken. What the server
/// itself ends is a head that doesn't come within its idle time. A head that is too large is answered, with 431.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let settings: ServerSettings
    private let answerPatience: Duration
    private var body: BodyPace?
    private var openRequests = 0
    private var bodyTimer: Scheduled<Void>?
    private var answerTimer: Scheduled<Void>?

    /// - Parameter answerPatience: for a client that takes no more of its answer.
    init(_ settings: ServerSettings, answerPatience: Duration) {
        self.settings = settings
        self.answerPatience = answerPatience
    }

    func handlerRemoved(context: ChannelHandlerContext) { cancelTimers() }

    func channelInactive(context: ChannelHandlerContext) {
        cancelTimers()
        context.fireChannelInactive()
    }

    // MARK: Requests

    func read(context: ChannelHandlerContext) {
        body?.waits(now: .now)
        watchBody(context)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            openRequests += 1
            body = BodyPace(rate: settings.bodyRate, patience: settings.bodyPatience)
        case .body(let bytes): body?.receives(bytes.readableBytes, now: .now)
        case .end: body = nil
        }
        context.fireChannelRead(data)
    }

    /// One timer that is late at most, instead of one for each piece.
    private func watchBody(_ context: ChannelHandlerContext) {
        guard bodyTimer == nil, let deadline = body?.deadline(now: .now) else { return }
        let wait = max(.milliseconds(1), MonotonicTime.now.duration(to: deadline))
        bodyTimer = schedule(after: wait, context) { guardian, context in
            guardian.bodyTimer = nil
            guard let deadline = guardian.body?.deadline(now: .now) else { return }
            if deadline <= .now { context.close(promise: nil) } else { guardian.watchBody(context) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard case .headerOverflow = error as? HTTPParserError, openRequests == 0 else {
            return context.fireErrorCaught(error)
        }
        let problem = Problem(
            .headTooLarge,
            "the request's head has more than \(settings.headLimit) bytes or \(settings.headerCountLimit) headers")
        let body = ByteBuffer(bytes: problem.json)
        let head = HTTPResponse(
            status: problem.code.status,
            headerFields: [
                .contentType: Problem.mediaType, .contentLength: String(body.readableBytes), .connection: "close",
            ])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(body)), promise: nil)
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.value.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            context.value.close(promise: nil)
        }
    }

    // MARK: Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { openRequests -= 1 }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        answerTimer?.cancel()
        answerTimer = nil
        if !context.channel.isWritable {
            answerTimer = schedule(after: answerPatience, context) { _, context in context.close(promise: nil) }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Timers

    private func schedule(
        after wait: Duration, _ context: ChannelHandlerContext,
        _ act: @escaping @Sendable (ConnectionGuard, ChannelHandlerContext) -> Void
    ) -> Scheduled<Void> {
        let here = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        return context.eventLoop.scheduleTask(in: .nanoseconds(wait.nanosecondsClamped)) {
            act(here.value.0, here.value.1)
        }
    }

    private func cancelTimers() {
        bodyTimer?.cancel()
        answerTimer?.cancel()
    }
}
