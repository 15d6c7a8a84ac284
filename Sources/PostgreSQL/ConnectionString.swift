internal import CPostgreSQL

/// What libpq says against a connection string, without the string itself: it may hold a password.
func checkConnectionString(_ text: String) -> String? {
    var message: UnsafeMutablePointer<CChar>?
    let options = PQconninfoParse(text, &message)
    defer {
        PQconninfoFree(options)
        PQfreemem(message)
    }
    guard options == nil else { return nil }
    guard let message else { return "cannot be read" }
    let words = String(cString: message).prefix { $0 != "\"" && $0 != "\n" }
    var end = words.endIndex
    while end > words.startIndex, [" ", ":"].contains(words[words.index(before: end)]) {
        end = words.index(before: end)
    }
    return String(words[..<end])
}
