internal import Envelopes
internal import Crypto
internal import FoundationEssentials
internal import HTTPClient

struct S3Location: Sendable, Hashable {
    /// `http://` or `https://`, host and port; nothing behind them.
    var endpoint: String
    var bucket: String
    var region: String
    var accessKey: String
    var secretKey: String
    /// Of temporary credentials.
    var sessionToken: String?

    var host: String { String(endpoint.drop { $0 != "/" }.dropFirst(2)) }
}

/// Objects in S3 or what speaks like it (MinIO, Ceph, ...), addressed path-style. The bucket is made when it is
/// missing.
struct S3Store: ResultStore {
    private let location: S3Location
    private let client: HTTPClient
    private let retries: Retries

    init(_ location: S3Location, client: HTTPClient, retries: Retries) {
        self.location = location
        self.client = client
        self.retries = retries
    }

    func put(_ bytes: [UInt8], at key: String) async throws(StorageError) {
        try await retries.run { () async throws(StorageError) in
            let object = "/\(location.bucket)/\(key)"
            var answer = try await send(.put, object, body: bytes, type: "application/json")
            if answer.errorCode == "NoSuchBucket" {
                try await makeBucket()
                answer = try await send(.put, object, body: bytes, type: "application/json")
            }
            guard answer.response.isSuccess else { throw answer.error }
        }
    }

    private func makeBucket() async throws(StorageError) {
        // The oldest region is the one that must not be named.
        let place =
            location.region == "us-east-1"
            ? ""
            : "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>"
                + "\(location.region)</LocationConstraint></CreateBucketConfiguration>"
        let answer = try await send(.put, "/\(location.bucket)", body: Array(place.utf8), type: "application/xml")
        // Another replica may have been quicker.
        guard answer.response.isSuccess || answer.errorCode == "BucketAlreadyOwnedByYou" else { throw answer.error }
    }

    // MARK: One request

    private func send(
        _ method: HTTPRequest.Method, _ path: String, body: [UInt8], type: String
    ) async throws(StorageError) -> Answer {
        let path = SignatureV4.encoded(path, except: ["/"])
        let date = Self.date()
        let digest = SHA256.hash(data: body).hexadecimal
        var headers: HTTPHeaders = [
            "Host": location.host, "Content-Type": type,
            "x-amz-content-sha256": digest, "x-amz-date": date,
        ]
        headers["x-amz-security-token"] = location.sessionToken
        let signer = SignatureV4(
            accessKey: location.accessKey, secretKey: location.secretKey, region: location.region, service: "s3")
        headers["Authorization"] = signer.authorization(
            for: SignatureV4.Request(
                method: method.rawValue, path: path, headers: headers.fields.map { ($0.name, $0.value) },
                bodyDigest: digest),
            date: date)
        do {
            let request = HTTPRequest(
                method, location.endpoint + path, headers: headers, body: body, timeout: .seconds(30),
                maximumResponseBytes: 1 << 20)
            return Answer(response: try await client.send(request))
        } catch {
            throw StorageError(error.description, isTransient: error.isTransient)
        }
    }

    /// Now, as `20130524T000000Z`.
    private static func date() -> String {
        Date.now.formatted(.iso8601).filter { !"-:".contains($0) }
    }

    private struct Answer {
        let response: HTTPResponse

        /// What S3 calls the problem: `NoSuchBucket`, `AccessDenied`, ...
        var errorCode: String? { response.isSuccess ? nil : element("Code") }

        var error: StorageError {
            let words = [errorCode, element("Message")].compactMap(\.self).joined(separator: ": ")
            // 409 OperationAborted: somebody is just making the same bucket.
            let isTransient = response.status >= 500 || [408, 409, 429].contains(response.status)
            return StorageError(
                "S3 answered \(response.status) \(words)", isTransient: isTransient,
                isAboutTheObject: [400, 411, 413, 414].contains(response.status))
        }

        private func element(_ name: String) -> String? {
            let text = String(decoding: response.body.prefix(4096), as: UTF8.self)
            guard let start = text.firstRange(of: "<\(name)>"),
                let end = text[start.upperBound...].firstRange(of: "</\(name)>")
            else { return nil }
            return String(text[start.upperBound..<end.lowerBound])
        }
    }
}
