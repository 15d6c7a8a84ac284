import ActorKit

/// Shortens a section to the sentences that say most about its keywords.
@main
struct Summary: Handler {
    func handle(_ section: Section, _ context: Context) -> Extract {
        let sentences = section.text.sentences
        let telling = sentences.indices
            .sorted { weight(of: sentences[$0], section.keywords) > weight(of: sentences[$1], section.keywords) }
            .prefix(3)
        context.emit(log: "\(telling.count) of \(sentences.count) sentences of '\(section.title)'")
        return Extract(section, text: telling.sorted().map { sentences[$0] }.joined(separator: " "))
    }

    /// What the keywords in it are worth, for its length: a long sentence holds a keyword by chance.
    private func weight(of sentence: String, _ keywords: [Keyword]) -> Double {
        let words = sentence.words
        let found = Set(words)
        let worth = keywords.reduce(0) { found.contains($1.term.lowercased()) ? $0 + $1.score : $0 }
        return worth / Double(max(words.count, 8)).squareRoot()
    }
}

struct Section: Decodable {
    var document: String
    var section: Int
    var sections: Int
    var title: String
    var text: String
    var keywords: [Keyword]
}

struct Keyword: Codable {
    var term: String
    var score: Double
}

struct Extract: Encodable {
    var document: String
    var section: Int
    var sections: Int
    var title: String
    var keywords: [Keyword]
    var extract: String

    init(_ section: Section, text: String) {
        document = section.document
        self.section = section.section
        sections = section.sections
        title = section.title
        keywords = section.keywords
        extract = text
    }
}
