/// A name for use in SQL text, whatever it contains; a NUL, which no name may have, is left out.
public func quotedIdentifier(_ name: String) -> String {
    var quoted = "\""
    for character in name.unicodeScalars where character != "\0" {
        quoted.unicodeScalars.append(character)
        if character == "\"" { quoted += "\"" }
    }
    return quoted + "\""
}
