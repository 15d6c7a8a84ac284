internal import CCurl

/// A URL that was checked, and how it may be shown.
struct RequestTarget {
    let url: String
    /// Scheme, host, port and path: what a log may hold. No credentials, query or fragment.
    let shown: String

    init(_ url: String) throws(HTTPError) {
        // A control character could start a header of its own; whoever builds the URL has to encode it.
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw HTTPError(.invalidRequest, "the URL holds white space or control characters")
        }
        guard let parts = curl_url() else { throw HTTPError(.invalidRequest, "no memory for the URL") }
        defer { curl_url_cleanup(parts) }
        let status = curl_url_set(parts, CURLUPART_URL, url, 0)
        guard status == CURLUE_OK else {
            throw HTTPError(.invalidRequest, "not an http or https URL: \(String(cString: curl_url_strerror(status)))")
        }
        let scheme = Self.part(CURLUPART_SCHEME, of: parts) ?? ""
        guard scheme == "http" || scheme == "https" else {
            throw HTTPError(.invalidRequest, "not an http or https URL: its scheme is \(scheme)")
        }
        let port = Self.part(CURLUPART_PORT, of: parts).map { ":" + $0 } ?? ""
        let path = Self.part(CURLUPART_PATH, of: parts) ?? "/"
        self.url = url
        shown = "\(scheme)://\(Self.part(CURLUPART_HOST, of: parts) ?? "")\(port)\(path)"
    }

    private static func part(_ part: CURLUPart, of parts: OpaquePointer) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(parts, part, &text, 0) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}
