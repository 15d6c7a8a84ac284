internal import EventLoops
internal import Envelopes
internal import Hummingbird
internal import Settings

/// A request's query, read with reasons for what is wrong.
struct QueryParameters {
    private let request: Request

    /// - Throws: for a parameter that isn't known: what is misspelt must not select everything.
    init(_ request: Request, known: [String]) throws(Problem) {
        self.request = request
        for (name, _) in request.uri.queryParameters where !known.contains(String(name)) {
            throw Problem(
                .invalidRequest,
                "there is no query parameter '\(name.prefix(100))'; known are: \(known.joined(separator: ", "))")
        }
        for name in known where request.uri.queryParameters.getAll(name).count > 1 {
            throw Problem(.invalidRequest, "the query parameter '\(name)' stands twice")
        }
    }

    /// `nil` where it isn't there. An empty one is a mistake.
    func text(_ name: String) throws(Problem) -> String? {
        guard let text = request.uri.queryParameters[Substring(name)] else { return nil }
        guard !text.isEmpty, !text.utf8.contains(0) else {
            throw Problem(.invalidRequest, "'\(name)' must not be empty")
        }
        return String(text)
    }

    func integer(_ name: String, in range: ClosedRange<Int>, default fallback: Int) throws(Problem) -> Int {
        guard let text = try text(name) else { return fallback }
        guard let number = Int(text), range.contains(number) else {
            throw Problem(
                .invalidRequest, "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func flag(_ name: String) throws(Problem) -> Bool {
        switch try text(name) {
        case nil, "false": false
        case "true": true
        default: throw Problem(.invalidRequest, "'\(name)' must be true or false")
        }
    }

    /// ISO 8601 with a zone, as microseconds since 1970.
    func time(_ name: String) throws(Problem) -> Int64? {
        guard let text = try text(name) else { return nil }
        guard let time = Timestamp.microseconds(parsing: text) else {
            throw Problem(
                .invalidRequest, "'\(name)' must be ISO 8601 with a time zone, like 2026-11-21T09:30:00Z")
        }
        return time
    }

    func duration(_ name: String, in range: ClosedRange<Duration>, default fallback: Duration) throws(Problem)
        -> Duration
    {
        guard let text = try text(name) else { return fallback }
        guard let duration = Duration(text: text), range.contains(duration) else {
            throw Problem(
                .invalidRequest,
                "'\(name)' must be a time span like 30s, from \(range.lowerBound.inWords) to \(range.upperBound.inWords)"
            )
        }
        return duration
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ name: String) throws(Problem) -> Choice?
    where Choice.RawValue == String {
        guard let text = try text(name) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            throw Problem(
                .invalidRequest, "'\(name)' must be one of: \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }
}
