import Envelopes
import HTTPClient
import Settings

/// Why the gateway did not do what it was asked, in words that say what to do.
struct GatewayError: Error, CustomStringConvertible {
    let description: String
    let exit: CommandExit
    /// The gateway's own code for it (docs/errors.md); `nil` where it didn't answer.
    let code: String?
    /// Whether the same request may well succeed later: nobody answers, or the gateway takes no more just now.
    let isTransient: Bool
    /// Nobody answers.
    let isAway: Bool
    /// When to ask again, as far as the gateway has said.
    let retryAfter: Duration?

    init(away error: HTTPError, url: String) {
        let isFault = error.code == .invalidRequest || error.code == .protocolViolation || error.code == .tooLarge
        description = "no answer from the gateway at \(url): \(error.message). Is it running? See --gateway."
        exit = .noGateway
        code = nil
        isTransient = !isFault
        isAway = !isFault
        retryAfter = nil
    }

    init(_ response: HTTPResponse) {
        let problem = try? RawJSON(response.body, limits: JSONLimits(size: .max, nesting: 4096))
        var detail = problem?["detail"]?.string ?? "status \(response.status)"
        if response.status == 401 { detail += ". See TROUPE_API_KEY and --key." }
        for place in problem?["errors"]?.elements ?? [] where problem?["errors"]?.elements.count ?? 0 > 1 {
            detail += "\n  \(place["pointer"]?.string ?? ""): \(place["detail"]?.string ?? "")"
        }
        description = "the gateway says: \(detail)"
        exit = Self.exit(response.status)
        code = problem?["code"]?.string
        isTransient = [429, 502, 503, 504].contains(response.status)
        isAway = false
        retryAfter = response.headers["Retry-After"].flatMap { Int($0) }.map { .seconds(min($0, 600)) }
    }

    /// - Parameter fault: what is wrong with an answer that can't be understood.
    init(fault: String) {
        description = fault
        exit = .gatewayFault
        code = nil
        isTransient = false
        isAway = false
        retryAfter = nil
    }

    private static func exit(_ status: Int) -> CommandExit {
        switch status {
        case 401, 403: .notAllowed
        case 404: .notFound
        case 429, 502, 503, 504: .tryAgain
        case 400..<500: .badInput
        default: .gatewayFault
        }
    }
}
