import EventLoops
import Foundation
import HTTPClient
import Synchronization
import TestSupport
import Testing

@testable import Crew

/// Against moto, which speaks S3.
@Suite(.timeLimit(.minutes(1)))
struct S3StoreTests {
    private let client = HTTPClient(on: EventLoop(name: "s3-test"))
    private let endpoint: String

    init() throws {
        var endpoint = try TestServers.s3Endpoint
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        self.endpoint = endpoint
    }

    private func store(_ bucket: String, region: String = "us-east-1", endpoint: String? = nil) -> S3Store {
        let location = S3Location(
            endpoint: endpoint ?? self.endpoint, bucket: bucket, region: region, accessKey: "key", secretKey: "s3cret")
        return S3Store(location, client: client, retries: Retries(attempts: 2, firstPause: .milliseconds(1)))
    }

    private func object(_ bucket: String, _ key: String) async throws -> HTTPResponse {
        let path = SignatureV4.encoded("/\(bucket)/\(key)", except: ["/"])
        let date = "20260101T000000Z"
        let headers: HTTPHeaders = ["Host": String(endpoint.dropFirst("http://".count)), "x-amz-date": date]
        let signer = SignatureV4(accessKey: "key", secretKey: "s3cret", region: "us-east-1", service: "s3")
        var request = HTTPRequest(.get, endpoint + path, headers: headers)
        request.headers["Authorization"] = signer.authorization(
            for: .init(
                method: "GET", path: path, headers: headers.fields.map { ($0.name, $0.value) },
                bodyDigest: SignatureV4Tests.emptyDigest), date: date)
        return try await client.send(request)
    }

    private func newBucket() -> String { "troupe-test-\(UInt64.random(in: 0 ... .max))" }

    @Test(arguments: ["us-east-1", "eu-central-1"])
    func theBucketIsMadeAndTheObjectIsThere(_ region: String) async throws {
        let bucket = newBucket()
        let key = "happy-end/2026-11-21T09:30:00.123456Z/summary/e%2F1.json"
        let bytes = Array(#"{"id":"e/1","n":1e400,"🎭":"\ud800"}"#.utf8)
        try await store(bucket, region: region).put(bytes, at: key)
        let response = try await object(bucket, key)
        #expect(response.status == 200)
        #expect(response.body == bytes)
        #expect(response.headers["Content-Type"] == "application/json")
    }

    @Test func theSameKeyReplaces() async throws {
        let bucket = newBucket()
        try await store(bucket).put([1], at: "k")
        try await store(bucket).put([2], at: "k")
        #expect(try await object(bucket, "k").body == [2])
    }

    @Test func manyAtOnceIntoABucketThatIsMissing() async throws {
        let bucket = newBucket()
        let store = store(bucket)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<40 {
                group.addTask { try await store.put(Array("\(number)".utf8), at: "many/\(number)") }
            }
            try await group.waitForAll()
        }
        for number in 0..<40 { #expect(try await object(bucket, "many/\(number)").body == Array("\(number)".utf8)) }
    }

    @Test func tenMebibytes() async throws {
        let bucket = newBucket()
        let bytes = (0..<10 << 20).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try await store(bucket).put(bytes, at: "large")
        #expect(try await object(bucket, "large").body == bytes)
    }

    @Test func nobodyAnswers() async throws {
        let error = await #expect(throws: StorageError.self) {
            try await store("bucket", endpoint: "http://127.0.0.1:1").put([1], at: "k")
        }
        #expect(error?.isTransient == true)
        #expect(error?.message.contains("tried 2 times") == true)
        #expect(error?.message.contains("s3cret") == false)
    }
}

/// Against a server that fails as asked.
@Suite(.timeLimit(.minutes(1)))
struct S3FailureTests {
    private let client = HTTPClient(on: EventLoop(name: "s3-test"))
    private let pauses = Pauses()

    final class Pauses: Sendable {
        private let durations = Mutex<[Duration]>([])
        func add(_ duration: Duration) { durations.withLock { $0.append(duration) } }
        var all: [Duration] { durations.withLock { $0 } }
    }

    private func store(_ bucket: String) throws -> S3Store {
        let location = S3Location(
            endpoint: "http://127.0.0.1:\(try FailingS3.port.get())", bucket: bucket, region: "us-east-1",
            accessKey: "key",
            secretKey: "s3cret")
        let retries = Retries(attempts: 4, firstPause: .seconds(1)) { [pauses] in pauses.add($0) }
        return S3Store(location, client: client, retries: retries)
    }

    private func tries(_ path: String) async throws -> String {
        let port = try FailingS3.port.get()
        return String(
            decoding: try await client.send(HTTPRequest(.get, "http://127.0.0.1:\(port)\(path)")).body, as: UTF8.self)
    }

    @Test func whatFailsForAWhileIsTriedAgain() async throws {
        try await store("busy-3").put([1], at: "a")
        #expect(try await tries("/busy-3/a") == "4")
        let bounds: [Duration] = [.seconds(1), .seconds(2), .seconds(4)]
        #expect(pauses.all.count == 3)
        for (pause, bound) in zip(pauses.all, bounds) { #expect(pause <= bound && pause >= bound / 2) }
    }

    @Test func whatFailsForLongIsAnError() async throws {
        let error = await #expect(throws: StorageError.self) { try await store("busy-100").put([1], at: "b") }
        #expect(error?.message == "S3 answered 503 SlowDown: Please reduce your request rate. (tried 4 times)")
        #expect(try await tries("/busy-100/b") == "4")
    }

    @Test func whatCannotGetBetterIsNotTriedAgain() async throws {
        let error = await #expect(throws: StorageError.self) { try await store("forbidden").put([1], at: "c") }
        #expect(error?.message == "S3 answered 403 AccessDenied: Access Denied")
        #expect(error?.isTransient == false)
        #expect(try await tries("/forbidden/c") == "1")
    }

    @Test func aServerThatHangsUp() async throws {
        let error = await #expect(throws: StorageError.self) { try await store("silent").put([1], at: "d") }
        #expect(error?.isTransient == true)
    }

    @Test func anAnswerThatIsNotS3() async throws {
        let error = await #expect(throws: StorageError.self) { try await store("garbage").put([1], at: "e") }
        #expect(error?.message.hasPrefix("S3 answered 418") == true)
    }
}

/// `failing_s3.py`.
private enum FailingS3 {
    static let port = Result<String, any Error> { try server.get().words[0] }
    private static let server = Result {
        try ScriptServer(Bundle.module.url(forResource: "failing_s3", withExtension: "py"))
    }
}
