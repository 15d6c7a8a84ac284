import ActorKit
import Glibc

struct Abort: Handler {
    struct Anything: Codable, Sendable {}
    func handle(_ payload: Anything, _ context: Context) -> Anything? { nil }
}

struct Echo: RawHandler {
    func handle(_ payload: RawJSON, _ context: Context) -> [RawJSON] { [payload] }
}

struct FanOutItems: RawHandler {
    func handle(_ payload: RawJSON, _ context: Context) -> [RawJSON] { payload["items"]?.elements ?? [] }
}

struct Fail: Handler {
    struct Input: Decodable { var message: String }
    struct ValueError: Error, CustomStringConvertible { var description: String }
    func handle(_ input: Input, _ context: Context) throws -> String { throw ValueError(description: input.message) }
}

struct Grow: Handler {
    struct Input: Decodable { var bytes: Int }
    struct Output: Encodable { var text: String }
    func handle(_ input: Input, _ context: Context) -> Output {
        Output(text: String(repeating: "x", count: input.bytes))
    }
}

struct Printing: Handler {
    struct Payload: Codable { var lines: Int }
    func handle(_ payload: Payload, _ context: Context) -> Payload {
        for number in 0..<payload.lines {
            print("line \(number) on stdout")
            let line = "line \(number) on stderr\n"
            write(STDERR_FILENO, line, line.utf8.count)
        }
        return payload
    }
}

struct Sleep: Handler {
    struct Payload: Codable { var milliseconds: Int }
    func handle(_ payload: Payload, _ context: Context) async throws -> Payload {
        try await Task.sleep(for: .milliseconds(payload.milliseconds))
        return payload
    }
}

struct Wait: Handler {
    struct Payload: Codable { var milliseconds: Int }
    func handle(_ payload: Payload, _ context: Context) async -> Payload {
        say("began")
        try? await Task.sleep(for: .milliseconds(payload.milliseconds))
        say(Task.isCancelled ? "cancelled" : "ended")
        return payload
    }

    private func say(_ word: String) { write(STDERR_FILENO, word + "\n", word.utf8.count + 1) }
}

struct Emit: Handler {
    struct Payload: Codable { var tokens, tasks: Int }
    struct Token: Encodable { var task, n: Int }
    func handle(_ payload: Payload, _ context: Context) async -> Payload {
        context.emit(log: "began", level: .warning)
        await withDiscardingTaskGroup { group in
            for task in 0..<payload.tasks {
                group.addTask {
                    for number in 0..<payload.tokens { context.emit("token", Token(task: task, n: number)) }
                }
            }
        }
        context.emit(progress: 50, "half")
        return payload
    }
}

struct Describe: RawHandler {
    func handle(_ payload: RawJSON, _ context: Context) -> [RawJSON] {
        [
            RawJSON { json in
                json.beginObject()
                json.name("id")
                json.append(string: context.id)
                json.name("parent_id")
                json.append(context.parentID.map { RawJSON(string: $0) } ?? .null)
                json.name("route")
                context.route.write(to: &json)
                json.name("headers")
                json.append(context.headers.json ?? .emptyObject)
                json.name("attempt")
                json.append(context.attempt)
                json.endObject()
            }
        ]
    }
}
