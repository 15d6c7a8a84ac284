import ActorKit
import Crypto
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Crew

@Suite
struct ResultKeyTests {
    private let digest = SHA256.hash(data: [1, 2, 3])

    private func key(_ actor: String?, _ id: String?) -> String {
        ResultKey(prefix: "happy-end/", timestamp: "2026-11-21T09:30:00.123456Z", actor: actor, id: id, digest: digest)
            .text
    }

    @Test func thePartsOfAKey() {
        #expect(key("summary", "GPL-3_1.2") == "happy-end/2026-11-21T09:30:00.123456Z/summary/GPL-3_1.2.json")
    }

    @Test(arguments: [
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"), ("..", "%2E."), (".", "%2E"), (".hidden", "%2Ehidden"),
        ("/etc/passwd", "%2Fetc%2Fpasswd"), ("a\0b", "a%00b"), ("a b", "a%20b"), ("ü🎭", "%C3%BC%F0%9F%8E%AD"),
        ("50%", "50%25"),
        ("a\\b", "a%5Cb"), ("a\r\nb", "a%0D%0Ab"), ("a..b", "a..b"),
    ])
    func hostileNamesStayInTheirPlace(_ name: String, _ safe: String) {
        #expect(key(name, name) == "happy-end/2026-11-21T09:30:00.123456Z/\(safe)/\(safe).json")
    }

    @Test func whatIsMissingHasAName() {
        let digest = digest.hexadecimal.prefix(32)
        #expect(key(nil, nil) == "happy-end/2026-11-21T09:30:00.123456Z/unknown/no-id-\(digest).json")
        #expect(key("", "") == key(nil, nil))
    }

    @Test func longNamesFitAndDiffer() {
        let names = ["a", "b"].map { String(repeating: "ü/", count: 4000) + $0 }
        let parts = names.compactMap(ResultKey.safe)
        #expect(Set(parts).count == 2)
        #expect(parts.allSatisfy { $0.utf8.count <= 200 })
    }
}

@Suite
struct TimestampTests {
    @Test(arguments: [
        ("2026-11-21T09:30:00.123456Z", true), ("2026-11-21T09:30:00Z", false), ("../../../x", false), ("", false),
        ("2026-11-21T09:30:00.12345/Z", false), ("2026-11-21T09:30:00.123456Z/", false),
        ("٢026-11-21T09:30:00.12345Z", false),
    ])
    func timestamps(_ text: String, _ isOne: Bool) {
        #expect(text.isTimestamp == isOne)
    }
}

@Suite
struct KeeperTests {
    private let temporary = TemporaryFolder()
    private var folder: String { temporary.path }

    private func keep(_ text: String, with keeper: Keeper) async throws {
        let message = try RawJSON(Array(text.utf8))
        // What ActorKit makes of such an envelope.
        let route = Route(actors: message["route"]?["actors"]?.elements.compactMap(\.string) ?? [])
        let headers = message["headers"].flatMap { try? Headers($0) } ?? Headers()
        try await keeper.keep(
            message,
            Context(id: message["id"]?.string ?? "", route: route, headers: headers, log: Log(level: .critical)))
    }

    private func files() throws -> [String] {
        let all = try FileManager.default.subpathsOfDirectory(atPath: folder)
        return all.filter {
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: folder + "/" + $0, isDirectory: &isFolder)
            return !isFolder.boolValue
        }
    }

    @Test func anEnvelopeIsKeptByteForByte() async throws {
        let keeper = try Keeper(.happyEnd, environment: ["TROUPE_RESULTS_DIR": folder])
        let text =
            #"{ "id":"e-1", "payload" : {"n":12345678901234567890.0, "🎭":"\ud800"},"#
            + #""route":{"actors":["a","b"],"current":2}}"#
        try await keep(text, with: keeper)
        let file = try #require(try files().first)
        let parts = file.split(separator: "/").map(String.init)
        #expect(
            parts.count == 4 && parts[0] == "happy-end" && parts[1].isTimestamp && parts[2] == "b"
                && parts[3] == "e-1.json")
        #expect(FileManager.default.contents(atPath: folder + "/" + file) == Data(text.utf8))
    }

    @Test func aRedeliveredEnvelopeIsKeptOnceByEveryReplica() async throws {
        for _ in 0..<3 {
            let keeper = try Keeper(.errorEnd, environment: ["TROUPE_RESULTS_DIR": folder])
            try await keep(
                #"{"id":"e-1","headers":{"troupe-submitted-at":"2026-11-21T09:30:00.123456Z"}}"#, with: keeper)
        }
        #expect(try files() == ["error-end/2026-11-21T09:30:00.123456Z/unknown/e-1.json"])
    }

    @Test(arguments: [
        "{}",
        #"{"id":"../../../../tmp/x","route":{"actors":["..","../.."]},"headers":{"troupe-submitted-at":"../../x"}}"#,
        #"{"id":7,"route":null,"headers":[]}"#, #"{"id":"","route":{"actors":[""]}}"#,
    ])
    func whateverComesIsKeptInsideTheFolder(_ text: String) async throws {
        let keeper = try Keeper(.errorEnd, environment: ["TROUPE_RESULTS_DIR": folder])
        try await keep(text, with: keeper)
        let file = try #require(try files().first)
        #expect(file.hasPrefix("error-end/"))
        #expect(file.split(separator: "/").count == 4)
        #expect(FileManager.default.contents(atPath: folder + "/" + file) == Data(text.utf8))
    }

    @Test func manyAtOnce() async throws {
        let keeper = try Keeper(.happyEnd, environment: ["TROUPE_RESULTS_DIR": folder])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<100 { group.addTask { try await keep(#"{"id":"e-\#(number)"}"#, with: keeper) } }
            try await group.waitForAll()
        }
        #expect(try files().count == 100)
        #expect(try files().allSatisfy { !$0.hasPrefix(".partial") })
    }

    @Test func whatAKilledOneHasLeftHalfWrittenGoesAfterAnHour() throws {
        let partial = folder + "/.partial"
        try FileManager.default.createDirectory(atPath: partial, withIntermediateDirectories: true)
        for (name, age) in [("old", 3700.0), ("young", 3500.0)] {
            _ = FileManager.default.createFile(atPath: "\(partial)/\(name)", contents: Data("{".utf8))
            try FileManager.default.setAttributes(
                [.modificationDate: Date().addingTimeInterval(-age)], ofItemAtPath: "\(partial)/\(name)")
        }
        _ = try Keeper(.happyEnd, environment: ["TROUPE_RESULTS_DIR": folder])
        #expect(try files() == [".partial/young"])
    }

    @Test func whatTheStoreWillNeverTakeIsNoReasonToWait() async throws {
        struct Refusing: ResultStore {
            func put(_ bytes: [UInt8], at key: String) async throws(StorageError) {
                throw StorageError("too long", isAboutTheObject: true)
            }
        }
        let keeper = Keeper(prefix: "x/", store: Refusing())
        let error = await #expect(throws: HandlerError.self) { try await keep("{}", with: keeper) }
        #expect(error?.type == "StorageRefusal")
    }

    @Test func aFolderThatIsGoneIsMadeAgain() async throws {
        let keeper = try Keeper(.happyEnd, environment: ["TROUPE_RESULTS_DIR": folder])
        try FileManager.default.removeItem(atPath: folder)
        try await keep("{}", with: keeper)
        #expect(try files().count == 1)
    }

    @Test func whatCannotBeWrittenIsAnErrorReply() async throws {
        let keeper = try Keeper(.happyEnd, environment: ["TROUPE_RESULTS_DIR": folder])
        try FileManager.default.removeItem(atPath: folder)
        try Data().write(to: URL(fileURLWithPath: folder))
        let error = await #expect(throws: HandlerError.self) { try await keep("{}", with: keeper) }
        #expect(error?.type == "StorageError")
        #expect(error?.message.contains("Not a directory") == true, "\(error?.message ?? "")")
    }

    @Test func withoutStorageNothingHappens() async throws {
        try await keep("{}", with: Keeper(prefix: "x/", store: nil))
    }
}

@Suite
struct CrewSettingsTests {
    private let s3 = [
        "TROUPE_S3_BUCKET": "results", "TROUPE_S3_ENDPOINT": "http://minio:9000/", "TROUPE_S3_ACCESS_KEY": "key",
        "TROUPE_S3_SECRET_KEY": "s3cret",
    ]

    @Test func storageByItsSettings() throws {
        #expect(try CrewSettings(.happyEnd, environment: [:]).storage == .nowhere)
        #expect(try CrewSettings(.happyEnd, environment: ["TROUPE_RESULTS_DIR": "/r"]).storage == .folder("/r"))
        let location = S3Location(
            endpoint: "http://minio:9000", bucket: "results", region: "eu-west-1", accessKey: "key", secretKey: "s3cret"
        )
        #expect(
            try CrewSettings(.happyEnd, environment: s3.merging(["AWS_REGION": "eu-west-1"]) { $1 }).storage
                == .s3(location))
        let asya = Dictionary(
            uniqueKeysWithValues: s3.map { ($0.key.replacingOccurrences(of: "TROUPE_", with: "ASYA_"), $0.value) })
        #expect(
            try CrewSettings(.errorEnd, environment: asya.merging(["AWS_REGION": "eu-west-1"]) { $1 }).storage
                == .s3(location))
    }

    @Test func amazonItself() throws {
        let environment = [
            "TROUPE_S3_BUCKET": "results", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "s3cret",
            "AWS_SESSION_TOKEN": "token", "AWS_REGION": "eu-west-1",
        ]
        let location = S3Location(
            endpoint: "https://s3.eu-west-1.amazonaws.com", bucket: "results", region: "eu-west-1", accessKey: "key",
            secretKey: "s3cret", sessionToken: "token")
        #expect(try CrewSettings(.happyEnd, environment: environment).storage == .s3(location))
    }

    @Test func prefixes() throws {
        #expect(try CrewSettings(.happyEnd, environment: [:]).prefix == "happy-end/")
        #expect(try CrewSettings(.errorEnd, environment: [:]).prefix == "error-end/")
        #expect(
            try CrewSettings(.happyEnd, environment: ["ASYA_S3_RESULTS_PREFIX": "happy-asya/"]).prefix == "happy-asya/")
        #expect(try CrewSettings(.errorEnd, environment: ["TROUPE_S3_ERRORS_PREFIX": "a/b-"]).prefix == "a/b-")
    }

    @Test(arguments: [
        ("TROUPE_S3_BUCKET", "No Bucket"), ("TROUPE_S3_BUCKET", "x"), ("TROUPE_S3_ENDPOINT", "minio:9000"),
        ("TROUPE_S3_ENDPOINT", "http://"), ("TROUPE_S3_ENDPOINT", "http://minio:9000/path"),
        ("TROUPE_S3_ENDPOINT", "http://u:s3cret@m"),
        ("TROUPE_S3_RESULTS_PREFIX", "../x/"), ("TROUPE_S3_RESULTS_PREFIX", "/x/"), ("TROUPE_S3_ACCESS_KEY", ""),
        ("TROUPE_S3_SECRET_KEY", ""), ("TROUPE_RESULTS_DIR", "/r"),
    ])
    func wrongSettingsAreRefusedByName(_ name: String, _ value: String) throws {
        let error = try #require(throws: StartError.self) {
            try CrewSettings(.happyEnd, environment: s3.merging([name: value]) { $1 })
        }
        #expect(error.message.contains(name))
        #expect(error.exitCode == 78)
        #expect(!error.message.contains("s3cret"))
    }

    @Test(arguments: ["/proc/nowhere", "/dev/null/x"])
    func aFolderThatCannotBeIsRefusedAtStart(_ path: String) throws {
        let error = try #require(throws: StartError.self) {
            try Keeper(.happyEnd, environment: ["TROUPE_RESULTS_DIR": path])
        }
        #expect(error.exitCode == 73)
        #expect(error.message.contains(path))
    }
}
