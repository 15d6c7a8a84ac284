import AMQP
import Testing

struct EndpointTests {
    @Test func readsURLs() throws {
        let full = try Endpoint(url: "amqp://us%65r:p%40ss%3Aw%2F%25@broker.example:1234/a%2Fb")
        #expect(full.host == "broker.example")
        #expect(full.port == 1234)
        #expect(full.username == "user")
        #expect(full.password == "p@ss:w/%")
        #expect(full.virtualHost == "a/b")
        #expect(full.tls == nil)
        #expect(full.address == "broker.example:1234")

        let bare = try Endpoint(url: "amqp://h")
        #expect(bare == Endpoint(host: "h"))
        let secure = try Endpoint(url: "amqps://h")
        #expect(secure.port == 5671)
        #expect(secure.tls != nil)
        #expect(try Endpoint(url: "amqp://h/%2f").virtualHost == "/")
        #expect(try Endpoint(url: "amqp://h/%C3%A4").virtualHost == "ä")
        #expect(try Endpoint(url: "amqp://h/").virtualHost == "")
        #expect(try Endpoint(url: "amqp://%C3%BC:%e2%82%AC@h").password == "€")
        #expect(try Endpoint(url: "amqp://u:@h").password == "")
        #expect(try Endpoint(url: "amqp://u:p@[::1]").port == 5672)
        let six = try Endpoint(url: "amqp://u:p@[::1]:5673/v")
        #expect(six.host == "::1")
        #expect(six.port == 5673)
        #expect(six.address == "[::1]:5673")
    }

    @Test(arguments: [
        "", "h", "http://u:s3cret@h", "AMQP://h", "amqp:/h", "amqp://u:s3cret@h:port/", "amqp://u:s3cret@h:70000/",
        "amqp://u:s3cret@h:-1/", "amqp://u:s3%zzcret@h", "amqp://u:s3cret%@h", "amqp://u:s3cret@[::1/",
        "amqp://u:s3cret@/v",
        "amqp://u:s3cret@h/v?heartbeat=5", "amqp://u:s3cret@h/v#x", "amqp://u:s3 cret@h/v", "amqp://u:s3cret@h/v\n",
        "amqp://u:s3cret\u{0}@h", "amqp://u:s3%00cret@h", "amqp://u:s3%FFcret@h", "amqp://u:s3cret@h/a/b",
        "amqp://", "amqp:///v", "amqp://u:s3cret@", "amqp://:5672", "amqp://h:", "amqp://h:0", "amqp://h:+1",
        "amqp://s3cret@h",
        "amqp://u:s3:cret@h", "amqp://u:s3@cret@h", "amqps://u:s3cret@h:1:2", "amqp://u:s3ü@h", "amqp://u:s3{}@h",
        "amqp://[]", "amqp://[::1]x", "amqp://u:s3%c3@h", "amqp://u:s3%2",
    ])
    func refusesTheRestWithoutTellingThePassword(url: String) {
        let error = #expect(throws: AMQPError.self) { try Endpoint(url: url) }
        #expect(error?.code == .invalidURL)
        #expect(error?.message.contains("amqp") == true)
        #expect(error?.message.contains("s3") == false)
    }
}
