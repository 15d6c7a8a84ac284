import Foundation
import Testing

@testable import Crew

/// AWS's published examples: the Signature Version 4 test suite, and "Signature Calculations for the Authorization
/// Header" in the S3 API reference.
@Suite
struct SignatureV4Tests {
    static let emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private let suite = SignatureV4(
        accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", region: "us-east-1",
        service: "service")
    private let s3 = SignatureV4(
        accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", region: "us-east-1",
        service: "s3")

    private func signature(_ authorization: String) -> String { String(authorization.suffix(64)) }

    private func signed(
        _ method: String, query: [(name: String, value: String)] = [], more: [(name: String, value: String)] = []
    ) -> String {
        let headers =
            [(name: "Host", value: "example.amazonaws.com"), (name: "X-Amz-Date", value: "20150830T123600Z")] + more
        return suite.authorization(
            for: .init(method: method, path: "/", query: query, headers: headers, bodyDigest: Self.emptyDigest),
            date: "20150830T123600Z")
    }

    @Test func getVanilla() {
        #expect(
            signed("GET")
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=host;x-amz-date, "
                + "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
    }

    @Test func postVanilla() {
        #expect(signature(signed("POST")) == "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")
    }

    @Test func getVanillaQueryOrderKeyCase() {
        let query = [(name: "Param2", value: "value2"), (name: "Param1", value: "value1")]
        #expect(
            signature(signed("GET", query: query)) == "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        )
    }

    private func s3Signed(
        _ method: String, _ path: String, query: [(name: String, value: String)] = [],
        more: [(name: String, value: String)] = [],
        digest: String = emptyDigest
    ) -> String {
        let headers: [(name: String, value: String)] =
            [
                ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-content-sha256", digest),
            ] + more
        return signature(
            s3.authorization(
                for: .init(method: method, path: path, query: query, headers: headers, bodyDigest: digest),
                date: "20130524T000000Z"))
    }

    @Test func s3GetObject() {
        #expect(
            s3Signed("GET", "/test.txt", more: [("Range", "bytes=0-9")])
                == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func s3PutObject() {
        #expect(
            s3Signed(
                "PUT", SignatureV4.encoded("/test$file.text", except: ["/"]),
                more: [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                digest: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test func s3GetBucketLifecycle() {
        #expect(
            s3Signed("GET", "/", query: [("lifecycle", "")])
                == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
    }

    @Test func s3ListObjects() {
        #expect(
            s3Signed("GET", "/", query: [("prefix", "J"), ("max-keys", "2")])
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func headerValuesLoseExtraBlanks() {
        #expect(signed("GET", more: [("My-Header", "  a   b  ")]) == signed("GET", more: [("my-header", "a b")]))
    }

    @Test(arguments: [
        ("abc-._~XYZ019", "abc-._~XYZ019"), ("a b", "a%20b"), ("a+b=c&d", "a%2Bb%3Dc%26d"), ("ü", "%C3%BC"),
        ("100%", "100%25"),
        ("a/b:c", "a/b%3Ac"), ("٣", "%D9%A3"),
    ])
    func encoding(_ text: String, _ encoded: String) {
        #expect(SignatureV4.encoded(text, except: ["/"]) == encoded)
    }

    /// What botocore made of the same requests (`botocore_signer.py`).
    @Test func botocoreAgrees() throws {
        struct Case: Codable {
            var path: String
            var endpoint: String
            var date: String
            var digest: String
            var token: String?
            var authorization: String
        }
        let file = try #require(Bundle.module.url(forResource: "botocore_signatures", withExtension: "json"))
        let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: file))
        #expect(cases.count == 60)
        for one in cases {
            var headers: [(name: String, value: String)] = [
                ("Host", String(one.endpoint.dropFirst("http://".count))), ("Content-Type", "application/json"),
                ("X-Amz-Content-SHA256", one.digest), ("X-Amz-Date", one.date),
            ]
            if let token = one.token { headers.append(("X-Amz-Security-Token", token)) }
            let path = SignatureV4.encoded(one.path, except: ["/"])
            let own = s3.authorization(
                for: .init(method: "PUT", path: path, headers: headers, bodyDigest: one.digest), date: one.date)
            #expect(own == one.authorization, "\(one.path)")
        }
    }
}
