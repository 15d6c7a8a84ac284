internal import CCurl

/// One exchange: an easy handle, and what has arrived so far. libcurl holds a bare pointer to it: it must live until
/// the handle has left the multi handle.
final class Transfer {
    let easy: UnsafeMutableRawPointer
    let target: RequestTarget
    private let limit: Int
    private var fieldList: UnsafeMutablePointer<curl_slist>?
    /// libcurl writes its own words about a failure here.
    private let explanation: UnsafeMutablePointer<CChar>
    private var headers = HTTPHeaders()
    private var headerBytes = 0
    private var body: [UInt8] = []
    /// Gets the body instead.
    private let stream: IncomingBody?
    private var overflow: String?

    /// More header bytes than this are an attack or a mistake.
    private static let maximumHeaderBytes = 256 << 10

    /// - Parameter stream: gets head and body as they come.
    init(
        _ request: HTTPRequest, certificateAuthorities: String?, to stream: IncomingBody? = nil
    ) throws(HTTPError) {
        self.stream = stream
        target = try RequestTarget(request.url)
        limit = request.maximumResponseBytes
        try Self.check(request)
        guard let easy = curl_easy_init() else { throw HTTPError(.invalidRequest, "libcurl has no memory left") }
        self.easy = easy
        explanation = .allocate(capacity: Int(CURL_ERROR_SIZE))
        explanation.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        configure(request, certificateAuthorities: certificateAuthorities)
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(fieldList)
        explanation.deallocate()
    }

    private static func check(_ request: HTTPRequest) throws(HTTPError) {
        if let field = request.headers.fields.first(where: { !$0.isValid }) {
            throw HTTPError(.invalidRequest, "header \(field.name.debugDescription) has a character that HTTP forbids")
        }
        guard request.maximumResponseBytes >= 0 else {
            throw HTTPError(
                .invalidRequest, "maximumResponseBytes is \(request.maximumResponseBytes), expected 0 or more")
        }
        for limit in [request.timeout, request.connectTimeout, request.idleTimeout] {
            guard let limit, limit < .milliseconds(1) else { continue }
            throw HTTPError(.invalidRequest, "a timeout is \(limit), expected at least 1 ms")
        }
    }

    // MARK: Setting up

    private func configure(_ request: HTTPRequest, certificateAuthorities: String?) {
        troupe_curl_set_string(easy, CURLOPT_URL, target.url)
        // A path is sent as it was signed, "/../" included.
        troupe_curl_set_long(easy, CURLOPT_PATH_AS_IS, 1)
        troupe_curl_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        // Without it libcurl ends a slow name look-up with SIGALRM, which ends the process.
        troupe_curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        troupe_curl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        troupe_curl_set_long(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        troupe_curl_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1)
        // Servers commonly drop what was idle for a minute; an older connection is not worth the try.
        troupe_curl_set_long(easy, CURLOPT_MAXAGE_CONN, 50)
        troupe_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.wholeMilliseconds)
        if let timeout = request.timeout {
            troupe_curl_set_long(easy, CURLOPT_TIMEOUT_MS, timeout.wholeMilliseconds)
        }
        if let idleTimeout = request.idleTimeout {
            troupe_curl_set_long(easy, CURLOPT_LOW_SPEED_LIMIT, 1)
            troupe_curl_set_long(easy, CURLOPT_LOW_SPEED_TIME, (idleTimeout.wholeMilliseconds + 999) / 1000)
        }
        if let certificateAuthorities { troupe_curl_set_string(easy, CURLOPT_CAINFO, certificateAuthorities) }
        troupe_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, explanation)
        setMethod(request)
        setHeaders(request)
        setCallbacks()
    }

    private func setMethod(_ request: HTTPRequest) {
        if let body = request.body {
            troupe_curl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
            // libcurl's own copy: it can send it again when a kept connection turns out to be dead.
            _ = body.withUnsafeBytes { bytes in
                if let start = bytes.baseAddress {
                    troupe_curl_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: start))
                } else {
                    troupe_curl_set_string(easy, CURLOPT_COPYPOSTFIELDS, "")
                }
            }
        }
        switch request.method {
        case .head: troupe_curl_set_long(easy, CURLOPT_NOBODY, 1)
        case .get where request.body == nil: troupe_curl_set_long(easy, CURLOPT_HTTPGET, 1)
        default: troupe_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        }
    }

    private func setHeaders(_ request: HTTPRequest) {
        // A server that ignores `Expect: 100-continue` costs a second per large body. A body has no type unless the
        // caller says so.
        var lines = ["Expect:"]
        if request.headers["Content-Type"] == nil { lines.append("Content-Type:") }
        if request.headers["User-Agent"] == nil { lines.append("User-Agent: troupe") }
        // An empty value is written "Name;": "Name:" would take the field out.
        lines += request.headers.fields.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        for line in lines { fieldList = curl_slist_append(fieldList, line) }
        troupe_curl_set_pointer(easy, CURLOPT_HTTPHEADER, fieldList)
    }

    private func setCallbacks() {
        let me = Unmanaged.passUnretained(self).toOpaque()
        troupe_curl_set_pointer(easy, CURLOPT_WRITEDATA, me)
        troupe_curl_set_write(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, me in
            Transfer.received(bytes, size * count, me) { $0.appendBody($1) }
        }
        troupe_curl_set_pointer(easy, CURLOPT_HEADERDATA, me)
        troupe_curl_set_write(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, me in
            Transfer.received(bytes, size * count, me) { $0.appendHeader($1) }
        }
    }

    // MARK: What arrives

    private enum Reception { case taken, notYet, tooMuch }

    /// Returning less than `count` tells libcurl to give up.
    private static func received(
        _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ me: UnsafeMutableRawPointer?,
        _ take: (Transfer, UnsafeRawBufferPointer) -> Reception
    ) -> Int {
        guard let me else { return 0 }
        let transfer = Unmanaged<Transfer>.fromOpaque(me).takeUnretainedValue()
        return switch take(transfer, UnsafeRawBufferPointer(start: bytes, count: count)) {
        case .taken: count
        case .notYet: Int(CURL_WRITEFUNC_PAUSE)
        case .tooMuch: 0
        }
    }

    /// The stream has room again. Not to be called from within libcurl.
    func resume() { curl_easy_pause(easy, CURLPAUSE_CONT) }

    private func appendBody(_ bytes: UnsafeRawBufferPointer) -> Reception {
        if let stream { return stream.take(bytes) ? .taken : .notYet }
        guard bytes.count <= limit - body.count else {
            overflow = "the response body is longer than \(limit) bytes"
            return .tooMuch
        }
        body.append(contentsOf: bytes)
        return .taken
    }

    private func appendHeader(_ bytes: UnsafeRawBufferPointer) -> Reception {
        headerBytes += bytes.count
        guard headerBytes <= Self.maximumHeaderBytes else {
            overflow = "the response's headers are longer than \(Self.maximumHeaderBytes) bytes"
            return .tooMuch
        }
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // A final status after an interim one (1xx): only its own headers count.
            headers = HTTPHeaders()
        } else if let colon = line.firstIndex(of: ":") {
            headers.add(name: String(line[..<colon]), value: line[line.index(after: colon)...].trimmingWhiteSpace)
        } else if let stream, line.allSatisfy(\.isNewline), status >= 200 {
            stream.begin(HTTPResponse(status: status, headers: headers))
        }
        return .taken
    }

    private var status: Int {
        var status = 0
        troupe_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        return status
    }

    // MARK: The end

    func outcome(_ result: CURLcode) -> Result<HTTPResponse, HTTPError> {
        if let overflow { return .failure(HTTPError(.tooLarge, "\(overflow) (\(target.shown))")) }
        guard result == CURLE_OK else {
            let words = explanation[0] == 0 ? String(cString: curl_easy_strerror(result)) : String(cString: explanation)
            return .failure(HTTPError(HTTPError.Code(result), "\(words) (\(target.shown))"))
        }
        return .success(HTTPResponse(status: status, headers: headers, body: body))
    }
}

extension HTTPError.Code {
    init(_ result: CURLcode) {
        self =
            switch result {
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
            case CURLE_COULDNT_CONNECT, CURLE_PROXY: .connect
            case CURLE_OPERATION_TIMEDOUT: .timeout
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
                CURLE_SSL_CERTPROBLEM,
                CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
                CURLE_SSL_ENGINE_INITFAILED, CURLE_USE_SSL_FAILED:
                .tls
            case CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_SEND_FAIL_REWIND,
                CURLE_HTTP2_STREAM:
                .connectionLost
            case CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_OUT_OF_MEMORY:
                .invalidRequest
            default: .protocolViolation
            }
    }
}

extension Duration {
    fileprivate var wholeMilliseconds: Int {
        let (milliseconds, overflow) = components.seconds.multipliedReportingOverflow(by: 1000)
        // libcurl refuses more than a 32-bit number of milliseconds; 24 days are as good as for ever.
        guard !overflow else { return Int(Int32.max) }
        return Int(min(milliseconds + components.attoseconds / 1_000_000_000_000_000, Int64(Int32.max)))
    }
}

extension Substring {
    fileprivate var trimmingWhiteSpace: String {
        var text = self
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
