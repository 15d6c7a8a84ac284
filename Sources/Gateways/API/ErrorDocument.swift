internal import HTTPTypes

/// `docs/errors.md`, made from the table of codes; a test holds one to the other.
enum ErrorDocument {
    static var markdown: String {
        let rows = ErrorCode.allCases.map { code in
            "| `\(code.rawValue)` | \(code.status.code) | \(code.title) | \(code.advice) |"
        }
        return """
            # Errors of the gateway

            Every error is a problem document (RFC 9457, `application/problem+json`): `{"type", "title", "status", "code", "detail",
            "pointer"?, "errors"?}`. `code` is stable: programs may rely on it. `detail` says what is wrong with this request; `pointer`
            is a JSON Pointer (RFC 6901) to the member that is wrong, and `errors` has one for each where there are several. Made from
            the code; do not edit it here.

            | code | status | what it says | what to do |
            | --- | --- | --- | --- |
            \(rows.joined(separator: "\n"))

            """
    }
}
