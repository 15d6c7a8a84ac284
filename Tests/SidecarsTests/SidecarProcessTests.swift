import Envelopes
import Foundation
import Synchronization
import Testing
import TestSupport
import Transports

@testable import Sidecars

/// The sidecar's program beside a real Python handler, on the real broker, while things are killed.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct SidecarProcessTests {
    static let echo = """
        import os, time
        def process(payload):
            with open(os.environ["HITS"], "a") as f:
                f.write("x\\n")
            if isinstance(payload, dict) and "sleep" in payload:
                time.sleep(payload["sleep"])
            if payload == "fail":
                raise ValueError("as asked")
            if payload == "none":
                return None
            if payload == "many":
                return [1, 2, 3]
            return {"got": payload}
        """

    func withHarness(
        _ handler: String = echo, _ settings: [String: String] = [:], _ body: (SidecarHarness) async throws -> Void
    ) async throws {
        let harness = try await SidecarHarness(handler: handler, settings: settings)
        do {
            try await harness.declareEnds()
            try await body(harness)
        } catch {
            print(
                "sidecar.log:\n\(harness.text(of: "sidecar.log").suffix(4000))\nhandler.log:\n\(harness.text(of: "handler.log").suffix(2000))"
            )
            await harness.stop()
            throw error
        }
        await harness.stop()
    }

    @Test func everyKindOfReplyGoesItsWay() async throws {
        try await withHarness { harness in
            try await harness.start()
            try await harness.submit(1)
            try await harness.submit(2, payload: "\"fail\"")
            try await harness.submit(3, payload: "\"none\"")
            try await harness.submit(4, payload: "\"many\"")
            try await harness.submit(5, payload: "{\"n\":12345678901234567890,\"u\":\"\\u00e9é\"}")
            let good = try await harness.collect("happy-end", 6)
            #expect(Set(good.keys) == ["e1", "e3", "e4", "e4-1", "e4-2", "e5"])
            #expect(good["e1"]?.first?.payload["got"]?.integer == 1)
            #expect(good["e3"]?.first?.route.current == 0)
            #expect(good["e4-2"]?.first?.payload.integer == 3 && good["e4-2"]?.first?.parentID == "e4")
            let bad = try await harness.collect("error-end", 1)
            #expect(bad["e2"]?.first?.payload["details"]?["type"]?.string == "ValueError")
            #expect(bad["e2"]?.first?.payload["details"]?["message"]?.string == "as asked")
            #expect(bad["e2"]?.first?.payload["details"]?["traceback"]?.string?.contains("handler.py") == true)

            // The last result is here before its delivery is settled.
            try await eventually("all are settled") {
                try await harness.gauge("active_messages") == 0
            }
            let metrics = try await harness.get("/metrics").body
            #expect(
                metrics.contains(
                    "troupe_actor_messages_received_total{queue=\"\(harness.broker.queuePrefix)worker\",transport=\"rabbitmq\"} 5"
                ))
            #expect(
                metrics.contains(
                    "messages_failed_total{queue=\"\(harness.broker.queuePrefix)worker\",reason=\"runtime_error\"} 1"))
            #expect(try await harness.get("/healthz").status == 200)
        }
    }

    @Test func aKilledHandlerLosesNothing() async throws {
        try await withHarness(Self.echo, ["TROUPE_CONCURRENCY": "2", "TROUPE_RABBITMQ_PREFETCH": "20"]) { harness in
            try await harness.start()
            for number in 0..<60 { try await harness.submit(number, payload: "{\"sleep\":0.05,\"n\":\(number)}") }
            async let results = harness.collect("happy-end", 60)
            for _ in 0..<3 {
                try await Task.sleep(for: .milliseconds(400))
                harness.kill(harness.handler)
                try await Task.sleep(for: .milliseconds(100))
                try harness.startHandler()
            }
            let seen = try await results
            #expect(seen.count == 60)
            #expect(seen.allSatisfy { $0.value.count == 1 })
        }
    }

    @Test func aKilledSidecarLosesNothing() async throws {
        try await withHarness(Self.echo, ["TROUPE_RABBITMQ_PREFETCH": "8"]) { harness in
            try await harness.start()
            for number in 0..<60 { try await harness.submit(number, payload: "{\"sleep\":0.05,\"n\":\(number)}") }
            async let results = harness.collect("happy-end", 60)
            for _ in 0..<3 {
                try await Task.sleep(for: .milliseconds(500))
                harness.kill(harness.sidecar)
                try harness.startSidecar()
            }
            let seen = try await results
            // A result may come twice (killed between confirm and acknowledgement), but always under the same id.
            #expect(Set(seen.keys) == Set((0..<60).map { "e\($0)" }))
        }
    }

    @Test func sigtermFinishesWhatRunsAndHandsBackTheRest() async throws {
        try await withHarness(Self.echo, ["TROUPE_RABBITMQ_PREFETCH": "10"]) { harness in
            try await harness.start()
            for number in 0..<5 { try await harness.submit(number, payload: "{\"sleep\":0.7}") }
            try await eventually("a call under way") { harness.hits == 1 }
            harness.kill(harness.sidecar, SIGTERM)
            let sidecar = try #require(harness.sidecar)
            try await eventually("the sidecar has ended") { !sidecar.isRunning }
            #expect(sidecar.terminationStatus == 0)
            #expect(harness.hits == 1)
            let done = try await harness.collect("happy-end", 1)
            #expect(done.count == 1)
            try harness.startSidecar()
            try await eventually("the rest is worked on") { harness.hits == 5 }
        }
    }

    @Test func sigtermWaitsNoLongerThanTheGrace() async throws {
        try await withHarness(Self.echo, ["TROUPE_SHUTDOWN_GRACE": "500ms"]) { harness in
            try await harness.start()
            try await harness.submit(1, payload: #"{"sleep":30}"#)
            try await eventually("it is at work") { harness.hits == 1 }
            let sidecar = try #require(harness.sidecar)
            harness.kill(sidecar, SIGTERM)
            try await eventually("it ends", within: .seconds(10)) { !sidecar.isRunning }
            #expect(sidecar.terminationStatus == 0)
            // The envelope is the broker's again.
            harness.kill(harness.handler)
            harness.rewriteHandler(Self.echo.replacing("time.sleep(payload", with: "(payload"))
            try await harness.start()
            #expect(try await harness.collect("happy-end", 1).keys.contains("e1"))
        }
    }

    @Test func heartbeatsGoOnWhileAHandlerIsBusy() async throws {
        try await withHarness(Self.echo, ["TROUPE_RABBITMQ_HEARTBEAT": "1"]) { harness in
            try await harness.start()
            try await harness.submit(1, payload: "{\"sleep\":6}")
            _ = try await harness.collect("happy-end", 1)
            #expect(harness.hits == 1)
            #expect(!harness.text(of: "sidecar.log").contains("not consuming"))
        }
    }

    @Test func aHungHandlerIsATimeoutAndTheSidecarEnds() async throws {
        try await withHarness(Self.echo, ["TROUPE_RUNTIME_TIMEOUT": "500ms"]) { harness in
            try await harness.start()
            try await harness.submit(1, payload: "{\"sleep\":30}")
            let failed = try await harness.collect("error-end", 1)
            #expect(failed["e1"]?.first?.payload["error"]?.string == "timeout")
            #expect(
                failed["e1"]?.first?.payload["details"]?["message"]?.string == "Runtime timeout exceeded after 500ms")
            let sidecar = try #require(harness.sidecar)
            try await eventually("the sidecar has ended") { !sidecar.isRunning }
            #expect(sidecar.terminationStatus == 1)
            // Settled before it ended: not delivered again.
            harness.kill(harness.handler)
            try harness.startHandler()
            try harness.startSidecar()
            try await harness.ready()
            try await harness.submit(2)
            _ = try await harness.collect("happy-end", 1)
            #expect(harness.hits == 2)
        }
    }

    @Test(arguments: ["timeout", "cancelled", "deadline_exceeded"])
    func aHandlerIsToldThatNobodyWaitsAnyMore(reason: String) async throws {
        let handler = """
            import os, time
            def process(payload, context):
                note("began")
                while payload == "long" and not context.cancelled:
                    time.sleep(0.01)
                note("cancelled" if context.cancelled else "done")
                return payload
            def note(word):
                with open(os.environ["HITS"], "a") as f:
                    f.write(word + "\\n")
            """
        let settings = [
            "TROUPE_RUNTIME_TIMEOUT": reason == "timeout" ? "500ms" : "60s", "TROUPE_EXIT_ON_TIMEOUT": "false",
        ]
        try await withHarness(handler, settings) { harness in
            try await harness.start()
            let deadline = Timestamp.now(plus: reason == "deadline_exceeded" ? .milliseconds(500) : .seconds(60))
            let body = #"{"id":"e1","route":{"actors":["worker"]},"payload":"long","deadline":"\#(deadline)"}"#
            let message = Message(to: .actor(harness.name), id: "e1", body: Array(body.utf8))
            try await harness.transport.publish(message, timeout: .seconds(20))
            try await eventually("the handler is at work") { harness.text(of: "hits") == "began\n" }
            if reason == "cancelled" {
                let control = Message(to: .control, id: "", body: ControlMessage.cancel(["e1"]).encoded())
                try await harness.transport.publish(control, timeout: .seconds(20))
            }
            #expect(try await harness.collect("error-end", 1)["e1"]?.first?.payload["error"]?.string == reason)
            try await eventually("the handler has heard of it") { harness.text(of: "hits") == "began\ncancelled\n" }
            try await harness.submit(2)
            _ = try await harness.collect("happy-end", 1)
            #expect(harness.text(of: "hits") == "began\ncancelled\nbegan\ndone\n")
        }
    }

    @Test func aLostConnectionOrDeletedQueueIsRecovered() async throws {
        try await withHarness { harness in
            try await harness.start()
            for number in 0..<3 { try await harness.submit(number) }
            _ = try await harness.collect("happy-end", 3)
            try TestServers.rabbitmqctl("delete_queue", "\(harness.broker.queuePrefix)worker")
            try await eventually("the queue is back") {
                do {
                    try await harness.submit(4)
                    return true
                } catch { return false }
            }
            try await eventually("it is worked on") { harness.hits == 4 }
            #expect(harness.text(of: "sidecar.log").contains("queue was deleted or moved"))
        }
    }

    static func dropConnections(named name: String) throws {
        let list = try TestServers.rabbitmqctl("--quiet", "list_connections", "pid", "client_properties")
        for line in list.split(separator: "\n") where line.contains(name) {
            guard let pid = line.split(separator: "\t").first else { continue }
            // One that is just going has no need of it.
            _ = try? TestServers.rabbitmqctl("close_connection", String(pid), "test")
        }
    }

    /// The broker has given them to somebody else by then: a call would be in vain, and in the way of one that counts.
    @Test func deliveriesOfALostConnectionAreNotHandedToTheHandler() async throws {
        try await withHarness(Self.echo, ["TROUPE_RABBITMQ_PREFETCH": "8"]) { harness in
            try await harness.start()
            for number in 1...8 { try await harness.submit(number, payload: #"{"sleep":1}"#) }
            try await eventually("the handler is called") { harness.hits > 0 }
            try Self.dropConnections(named: "troupe-sidecar worker")
            let seen = try await harness.collect("happy-end", 8)
            #expect(seen.count == 8)
            try await Task.sleep(for: .seconds(2))
            // Once more for the call that ran when the connection was lost, not for those that waited.
            #expect(harness.hits <= 10)
        }
    }

    @Test func readinessSaysWhatIsMissing() async throws {
        try await withHarness { harness in
            try harness.startSidecar()
            try await eventually("the reason") {
                let answer = try await harness.get("/readyz")
                return answer.status == 503 && answer.body.contains("is the handler running?")
            }
            // What comes meanwhile waits in the queue.
            try await eventually("the queue is there") {
                do {
                    try await harness.submit(1)
                    return true
                } catch { return false }
            }
            try harness.startHandler()
            try await harness.ready()
            try await eventually("it is worked on") { harness.hits == 1 }
        }
    }

    /// It would be 6 MiB in each of them.
    @Test func whoSpeaksNoHTTPHasNotLoadedLibcurl() async throws {
        try await withHarness { harness in
            try await harness.start()
            try await harness.submit(1)
            _ = try await harness.collect("happy-end", 1)
            let pid = try #require(harness.sidecar).processIdentifier
            // A file that says it has no bytes: to be read to its end.
            let file = try #require(FileHandle(forReadingAtPath: "/proc/\(pid)/maps"))
            let maps = String(decoding: try #require(try file.readToEnd()), as: UTF8.self)
            #expect(maps.contains("librabbitmq") && !maps.contains("libcurl"))
        }
    }

    @Test func whatIsNoJSONWaitsInTheDeadLettersWithItsReason() async throws {
        try await withHarness { harness in
            try await harness.start()
            let garbage: [[UInt8]] = [[], [0xFF, 0x00], Array("{\"id\":\"e\",".utf8)]
            for body in garbage {
                try await harness.transport.publish(
                    Message(to: .actor(harness.name), id: "junk", body: body), timeout: .seconds(20))
            }
            try await harness.submit(1)
            _ = try await harness.collect("happy-end", 1)
            let dead = try await harness.deadLetters(garbage.count)
            #expect(Set(dead) == Set(garbage))
        }
    }

    @Test func aFailingHandlerIsTriedAgainAndSucceeds() async throws {
        let flaky = """
            import os
            def process(payload):
                with open(os.environ["HITS"], "a") as f:
                    f.write("x\\n")
                if len(open(os.environ["HITS"]).readlines()) < 3:
                    raise ValueError("not yet")
                return "at last"
            """
        let settings = ["TROUPE_RETRY_ATTEMPTS": "5", "TROUPE_RETRY_INITIAL_DELAY": "300ms"]
        try await withHarness(flaky, settings) { harness in
            try await harness.start()
            try await harness.submit(1)
            let done = try await harness.collect("happy-end", 1)
            #expect(done["e1"]?.first?.payload.string == "at last")
            #expect(done["e1"]?.first?.headers["troupe-attempts"] == nil)
            #expect(harness.hits == 3)
            let metrics = try await harness.get("/metrics").body
            #expect(metrics.contains("troupe_actor_messages_retried_total{"))
        }
    }

    // MARK: Cancelled and late ones

    @Test func whatIsCancelledIsStoppedOrNotBegun() async throws {
        try await withHarness(Self.echo, ["TROUPE_RABBITMQ_PREFETCH": "10", "TROUPE_EXIT_ON_TIMEOUT": "false"]) {
            harness in
            try await harness.start()
            try await harness.submit(1, payload: #"{"sleep":3}"#)
            try await eventually("the first is at work") { harness.hits == 1 }
            for number in 2...5 { try await harness.submit(number) }
            try await Task.sleep(for: .milliseconds(300))
            let start = ContinuousClock.now
            let message = ControlMessage.cancel(["e1", "e2", "e4", "nobody"])
            try await harness.transport.publish(Message(to: .control, id: "", body: message.encoded()), timeout: nil)
            let failed = try await harness.collect("error-end", 3)
            // The handler still sleeps: nobody waited for it.
            #expect(ContinuousClock.now - start < .seconds(2))
            #expect(Set(failed.keys) == ["e1", "e2", "e4"])
            #expect(failed.values.allSatisfy { $0.count == 1 && $0[0].payload["error"]?.string == "cancelled" })
            #expect(Set(try await harness.collect("happy-end", 2).keys) == ["e3", "e5"])
            #expect(harness.hits == 3)
        }
    }

    /// A gateway answers to a sidecar that starts, before it takes anything from its queue.
    @Test func aSidecarThatStartsLearnsWhatIsCancelled() async throws {
        try await withHarness { harness in
            let transport = harness.transport
            let requests = await transport.deliveries(from: .controlRequests, prefetch: 10)
            let answering = Task {
                for await delivery in requests {
                    let request = try ControlRequest(parsing: delivery.body)
                    #expect(request.actor == "worker")
                    let answer = ControlMessage.cancel(["e1"])
                    let message = Message(to: .controlInbox(request.inbox), id: "", body: answer.encoded())
                    try await transport.publish(message, timeout: nil)
                    await transport.settle(delivery, .acknowledge)
                }
            }
            try await eventually("we are listening") { await transport.impediment() == nil }
            await transport.declare(.actor(harness.name))
            for number in 1...3 { try await harness.submit(number) }
            try await harness.start()
            #expect(Set(try await harness.collect("happy-end", 2).keys) == ["e2", "e3"])
            #expect(Set(try await harness.collect("error-end", 1).keys) == ["e1"])
            #expect(harness.hits == 2)
            answering.cancel()
        }
    }

    /// The first gateway of all comes after its sidecars. It, too, hears of them, and is obeyed.
    @Test func aGatewayThatComesLaterHearsOfTheActor() async throws {
        try await withHarness { harness in
            let transport = harness.transport
            try await harness.start()
            try await harness.submit(1)
            #expect(Set(try await harness.collect("happy-end", 1).keys) == ["e1"], "work waits for no gateway")
            let requests = await transport.deliveries(from: .controlRequests, prefetch: 10)
            let asked = Mutex(0)
            let answering = Task {
                for await delivery in requests {
                    let request = try ControlRequest(parsing: delivery.body)
                    #expect(request.actor == harness.name)
                    asked.withLock { $0 += 1 }
                    let notPaused = ActorPause(actor: harness.name, isPaused: false, decidedAt: 1)
                    for answer in [ControlMessage.cancel(["e2"]), .pauses([notPaused])] {
                        let message = Message(to: .controlInbox(request.inbox), id: "", body: answer.encoded())
                        try await transport.publish(message, timeout: .seconds(20))
                    }
                    await transport.settle(delivery, .acknowledge)
                }
            }
            try await eventually("it asks again", within: .seconds(30)) { asked.withLock { $0 } > 0 }
            try await Task.sleep(for: .milliseconds(300))
            try await harness.submit(2)
            #expect(Set(try await harness.collect("error-end", 1).keys) == ["e2"])
            answering.cancel()
        }
    }

    // MARK: Paused

    func tell(_ harness: SidecarHarness, isPaused: Bool, _ decidedAt: Int64) async throws {
        let pause = ActorPause(actor: harness.name, isPaused: isPaused, decidedAt: decidedAt)
        let other = ActorPause(actor: "other", isPaused: !isPaused, decidedAt: decidedAt)
        let message = Message(to: .control, id: "", body: ControlMessage.pauses([other, pause]).encoded())
        try await harness.transport.publish(message, timeout: .seconds(20))
    }

    @Test func aPausedActorFinishesWhatRunsAndGivesBackTheRest() async throws {
        try await withHarness(Self.echo, ["TROUPE_RABBITMQ_PREFETCH": "10"]) { harness in
            try await harness.start()
            for number in 1...5 { try await harness.submit(number, payload: "{\"sleep\":0.5}") }
            try await eventually("a call under way") { harness.hits == 1 }
            try await tell(harness, isPaused: true, 1)
            try await eventually("it says so") {
                try await harness.gauge("paused") == 1
            }
            let queues = RabbitMQQueues(harness.broker)
            try await eventually("the rest is back, and what ran has ended") {
                let queue = try await queues.look(at: [.actor(harness.name)])[.actor(harness.name)]
                let isIdle = try await harness.gauge("active_messages") == 0
                return isIdle && queue == QueueState(ready: 4, consumers: 0)
            }
            #expect(harness.hits == 1)
            #expect(try await harness.get("/readyz").status == 200)
            // Late news, and a repetition.
            try await tell(harness, isPaused: false, 0)
            try await tell(harness, isPaused: true, 1)
            try await Task.sleep(for: .milliseconds(500))
            #expect(harness.hits == 1)
            try await tell(harness, isPaused: false, 2)
            let done = try await harness.collect("happy-end", 5)
            #expect(done.values.allSatisfy { $0.count == 1 })
            #expect(harness.hits == 5)
            #expect(try await harness.gauge("paused") == 0)
        }
    }

    /// A return counts as a delivery: one that may not come back once more stays here.
    @Test func aPauseSendsNothingToTheDeadLetters() async throws {
        let settings = ["TROUPE_RABBITMQ_PREFETCH": "10", "TROUPE_DELIVERY_LIMIT": "2"]
        try await withHarness(Self.echo, settings) { harness in
            try await harness.start()
            for number in 1...3 { try await harness.submit(number, payload: "{\"sleep\":7}") }
            try await eventually("a call under way") { harness.hits == 1 }
            for round in 1...4 as ClosedRange<Int64> {
                try await tell(harness, isPaused: true, 2 * round)
                // Longer than it holds them.
                try await Task.sleep(for: .milliseconds(1300))
                try await tell(harness, isPaused: false, 2 * round + 1)
                try await Task.sleep(for: .milliseconds(200))
            }
            let done = try await harness.collect("happy-end", 3)
            #expect(done.values.allSatisfy { $0.count == 1 })
            let queue = ObservedQueue.deadLetters(actor: harness.name)
            #expect(try await RabbitMQQueues(harness.broker).look(at: [queue])[queue]?.ready == 0)
        }
    }

    /// An end actor can be paused, too. It asks before it takes anything.
    @Test(arguments: [false, true])
    func whoStartsPausedTakesNothing(isEndActor: Bool) async throws {
        try await withHarness(Self.echo, isEndActor ? ["TROUPE_IS_END_ACTOR": "true"] : [:]) { harness in
            let transport = harness.transport
            let requests = await transport.deliveries(from: .controlRequests, prefetch: 10)
            let answering = Task {
                for await delivery in requests {
                    let request = try ControlRequest(parsing: delivery.body)
                    let pause = ActorPause(actor: request.actor, isPaused: true, decidedAt: 1)
                    for answer in [ControlMessage.cancel([]), .pauses([pause])] {
                        let message = Message(to: .controlInbox(request.inbox), id: "", body: answer.encoded())
                        try await transport.publish(message, timeout: .seconds(20))
                    }
                    await transport.settle(delivery, .acknowledge)
                }
            }
            try await eventually("we are listening") { await transport.impediment() == nil }
            await transport.declare(.actor(harness.name))
            for number in 1...3 { try await harness.submit(number) }
            try await harness.start()
            try await Task.sleep(for: .milliseconds(500))
            let metrics = try await harness.get("/metrics").body
            #expect(try await harness.gauge("paused") == 1)
            let queue = harness.broker.queuePrefix + harness.name
            let received = "messages_received_total{queue=\"\(queue)\",transport=\"rabbitmq\"} 0\n"
            #expect(metrics.contains(received), "nothing was received")
            #expect(harness.hits == 0)
            answering.cancel()
            try await tell(harness, isPaused: false, 2)
            try await eventually("it goes on") { harness.hits == 3 }
        }
    }

    @Test func theHandlerIsLeftAtTheDeadline() async throws {
        try await withHarness(Self.echo, ["TROUPE_RETRY_ATTEMPTS": "5", "TROUPE_RABBITMQ_PREFETCH": "10"]) { harness in
            try await harness.start()
            func submit(_ id: String, sleep: Double, deadline: Duration) async throws {
                let body =
                    #"{"id":"\#(id)","route":{"actors":["worker"]},"payload":{"sleep":\#(sleep)},"#
                    + #""deadline":"\#(Timestamp.now(plus: deadline))"}"#
                try await harness.transport.publish(
                    Message(to: .actor("worker"), id: id, body: Array(body.utf8)), timeout: .seconds(20))
            }
            try await submit("long", sleep: 2.5, deadline: .seconds(1))
            try await submit("late", sleep: 0, deadline: .milliseconds(500))
            try await submit("good", sleep: 0, deadline: .seconds(60))
            let failed = try await harness.collect("error-end", 2)
            #expect(Set(failed.keys) == ["long", "late"])
            #expect(failed.values.allSatisfy { $0[0].payload["error"]?.string == "deadline_exceeded" })
            #expect(try await harness.collect("happy-end", 1).keys.contains("good"))
            #expect(harness.sidecar?.isRunning == true, "nothing hangs: the handler is only slow")
            #expect(harness.hits == 2)
        }
    }

    // MARK: Poison

    @Test(arguments: ["quorum", "classic"])
    func whatKillsTheSidecarAgainAndAgainEndsInTheDeadLetters(type: String) async throws {
        let settings = ["TROUPE_RABBITMQ_QUEUE_TYPE": type, "TROUPE_DELIVERY_LIMIT": "3"]
        try await withHarness(Self.echo, settings) { harness in
            try await harness.start()
            try await harness.submit(1, payload: #"{"sleep":20,"poison":true}"#)
            for hit in 1...4 {
                try await eventually("delivery \(hit)", within: .seconds(30)) { harness.hits >= hit }
                // Killed between a copy's confirm and the ack, it would leave two of it.
                try await Task.sleep(for: .milliseconds(300))
                harness.kill(harness.sidecar)
                harness.kill(harness.handler)
                try await harness.start()
            }
            let dead = try await harness.deadLetters(1)
            #expect(try Envelope(parsing: dead[0]).id == "e1")
            #expect(harness.hits == 4, "delivered once and three times more")
            try await harness.submit(2)
            #expect(try await harness.collect("happy-end", 1).keys.contains("e2"))
        }
    }

    // MARK: A runtime of our own

    @Test func aRuntimeOfOurOwnIsStartedAnewWhenItHangsOrDies() async throws {
        let runtime = SidecarHarness.sources.appendingPathComponent("actors/runtime/troupe_runtime.py").path
        let handler =
            Self.echo + """

                inner = process
                def process(payload):
                    if "TROUPE_RABBITMQ_URL" in os.environ:
                        raise ValueError("the broker's password is none of my business")
                    if payload == "die" and not os.path.exists("died"):
                        open("died", "w").close()
                        os._exit(3)
                    return inner(payload)
                """
        let settings = [
            "TROUPE_RUNTIME_COMMAND": "cd $TROUPE_SOCKET_DIR && exec python3 \(runtime)",
            "TROUPE_HANDLER": "handler.process", "TROUPE_RUNTIME_TIMEOUT": "1s",
        ]
        try await withHarness(handler, settings) { harness in
            try harness.startSidecar(["PYTHONPATH": harness.folder.path, "HITS": harness.folder.path + "/hits"])
            try await harness.ready()
            try await harness.submit(1)
            try await harness.submit(2, payload: #"{"sleep":600}"#)
            try await harness.submit(3, payload: #""die""#)
            try await harness.submit(4)
            #expect(Set(try await harness.collect("happy-end", 3).keys) == ["e1", "e3", "e4"])
            let failed = try await harness.collect("error-end", 1)
            #expect(failed["e2"]?.first?.payload["error"]?.string == "timeout")
            let sidecar = try #require(harness.sidecar)
            #expect(sidecar.isRunning)
            harness.kill(sidecar, SIGTERM)
            try await eventually("it ends", within: .seconds(10)) { !sidecar.isRunning }
            #expect(sidecar.terminationStatus == 0)
            #expect(
                !FileManager.default.fileExists(atPath: harness.folder.path + "/runtime-ready"), "so has its runtime")
        }
    }

    /// An error envelope is larger than the payload that it explains.
    @Test func whatWasJustAllowedCanStillBeClosedAsAnError() async throws {
        let limits = ["TROUPE_MAX_MESSAGE_BYTES": "4096", "TROUPE_MAX_NESTING": "20"]
        try await withHarness(Self.echo, limits) { harness in
            try await harness.start()
            let end = Process()
            end.executableURL = SidecarHarness.programs.appendingPathComponent("troupe")
            end.arguments = ["crew", "error-end"]
            let folder = harness.folder.path + "/end"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            end.environment = limits.merging(["TROUPE_SOCKET_DIR": folder, "TROUPE_RESULTS_DIR": folder]) { $1 }
            try end.run()
            defer { end.terminate() }
            let worker = harness.sidecar
            defer { harness.kill(worker) }
            try harness.startSidecar([
                "TROUPE_ACTOR_NAME": "error-end", "TROUPE_IS_END_ACTOR": "true", "TROUPE_SOCKET_DIR": folder,
                "TROUPE_METRICS_ENABLED": "false",
            ])
            // Refused by the handler: its type has no length.
            let nested = String(repeating: "[", count: 18) + String(repeating: "]", count: 18)
            try await harness.submit(1, payload: #"{"sleep":"\#(String(repeating: "x", count: 3950))"}"#)
            try await harness.submit(2, payload: #"{"sleep":\#(nested)}"#)
            try await eventually("both are stored") {
                let files = try FileManager.default.subpathsOfDirectory(atPath: folder)
                return ["e1.json", "e2.json"].allSatisfy { name in files.contains { $0.hasSuffix(name) } }
            }
        }
    }

    @Test func wrongSettingsAreRefusedByName() async throws {
        let process = Process()
        process.executableURL = SidecarHarness.programs.appendingPathComponent("troupe-sidecar")
        process.environment = [
            "TROUPE_CONCURRENCY": "many", "ASYA_RABBITMQ_URL": "http://secret@x", "TROUPE_RUNTIME_TIMEOUT": "soon",
        ]
        let pipe = Pipe()
        process.standardError = pipe
        try process.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 78)
        for name in [
            "TROUPE_ACTOR_NAME", "TROUPE_CONCURRENCY: 'many'", "TROUPE_RABBITMQ_URL", "TROUPE_RUNTIME_TIMEOUT: 'soon'",
        ] {
            #expect(text.contains(name))
        }
        #expect(!text.contains("secret"))
    }
}
