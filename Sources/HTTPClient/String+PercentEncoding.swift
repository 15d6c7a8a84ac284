extension String {
    /// With everything in percent signs but what is unreserved (RFC 3986, section 2.3: A-Z, a-z, 0-9, '-', '.', '_', '~')
    /// and what else is to stay: fit for one segment of a path, or a value of a query.
    public func percentEncoded(except plain: Set<Character> = []) -> String {
        utf8.reduce(into: "") { text, byte in
            let character = Character(Unicode.Scalar(byte))
            let isUnreserved =
                character.isASCII && (character.isLetter || character.isNumber || "-._~".contains(character))
            if isUnreserved || plain.contains(character) {
                text.append(character)
            } else {
                text += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
    }
}
