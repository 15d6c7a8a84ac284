import ArgumentParser
import Envelopes
import EventLoops
import HTTPClient

/// What a shell offers for names that only the gateway knows; nothing where it doesn't answer at once.
extension CompletionKind {
    static var toolNames: CompletionKind { names("/tools", "tools", "name") }
    static var actorNames: CompletionKind { names("/actors", "actors", "name") }
    static var envelopeIDs: CompletionKind { names("/envelopes?limit=50", "envelopes", "id") }

    private static func names(_ path: String, _ list: String, _ member: String) -> CompletionKind {
        .custom { words, _, prefix in
            let options = ["--gateway", "--key", "--ca"].flatMap { name in
                value(of: name, words).map { [name, $0] } ?? []
            }
            guard let client = try? GatewayOptions.parse(options).client(),
                let answer = try? await client.send(.get, path, timeout: .seconds(1))
            else { return [] }
            return (answer[list]?.elements ?? []).compactMap { $0[member]?.string?.printable }.filter {
                $0.hasPrefix(prefix)
            }
        }
    }

    private static func value(of option: String, _ words: [String]) -> String? {
        for (word, next) in zip(words, words.dropFirst()) where word == option { return next }
        return words.first { $0.hasPrefix(option + "=") }.map { String($0.dropFirst(option.count + 1)) }
    }
}
