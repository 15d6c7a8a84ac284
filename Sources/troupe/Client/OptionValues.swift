import ArgumentParser
import Envelopes
import Settings

extension Duration {
    /// The value of an option.
    /// - Throws: `ValidationError`.
    init(option name: String, _ text: String) throws {
        guard let duration = Duration(text: text), duration > .zero else {
            throw ValidationError("\(name) '\(text)' is no time span above 0, like 250ms, 30s, 5m, 1h30m or 7d")
        }
        self = duration
    }
}

/// A moment that an option names, by a date or by how far it is from now.
enum Moment {
    /// - Parameter sign: where a time span leads: 1 ahead, -1 back.
    /// - Returns: ISO 8601.
    /// - Throws: `ValidationError`.
    static func text(option name: String, _ text: String, sign: Double) throws -> String {
        if Timestamp.microseconds(parsing: text) != nil { return text }
        guard let duration = Duration(text: text) else {
            throw ValidationError(
                "\(name) '\(text)' is neither a time span like 5m, 1h or 7d nor a time like 2026-11-21T09:30:00Z")
        }
        return Timestamp.now(plus: duration * sign)
    }
}

extension RawJSON {
    /// JSON as it stands, and any other text as a string.
    init(loose text: String) {
        self = (try? RawJSON(Array(text.utf8))) ?? RawJSON(string: text)
    }
}

/// Ids of envelopes on the command line.
enum EnvelopeIDs {
    /// - Throws: `ValidationError` for one that would mean another path.
    static func check(_ ids: [String]) throws {
        if ids.contains(where: \.isEmpty) { throw ValidationError("an envelope's id must not be empty") }
    }
}
