extension String {
    /// Its sentences, each on one line. Headings and other scraps of fewer than four words are left out.
    var sentences: [String] {
        var sentences: [String] = []
        var sentence: [Substring] = []
        func end() {
            if sentence.count >= 4 { sentences.append(sentence.joined(separator: " ")) }
            sentence = []
        }
        // Line by line: a blank line ends a paragraph, and with it a sentence that has no full stop.
        for line in split(separator: "\n", omittingEmptySubsequences: false) {
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.isEmpty { end() }
            for word in words {
                sentence.append(word)
                if word.endsSentence { end() }
            }
        }
        end()
        return sentences
    }

    /// In lower case, without punctuation.
    var words: [String] {
        lowercased().split { !$0.isLetter && !$0.isNumber && $0 != "-" && $0 != "'" }.map(String.init)
    }
}

extension Substring {
    /// "Section 3." and "software." do; "e.g.", "1." and "B." don't.
    fileprivate var endsSentence: Bool {
        var word = self
        while let last = word.last, "\"')]}”’".contains(last) { word.removeLast() }
        guard let last = word.last, ".!?".contains(last) else { return false }
        word.removeLast()
        return word.count > 1 && !word.contains(".") && !word.allSatisfy(\.isNumber)
    }
}
