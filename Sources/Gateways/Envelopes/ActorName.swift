/// Names of actors.
enum ActorName {
    /// Written into a route by sidecars only.
    static let reserved: Set<String> = ["happy-end", "error-end"]

    /// What is wrong with a name in a route, `nil` when nothing is. A name becomes a queue's name and a routing key:
    /// 1...200 characters of `A-Z a-z 0-9 . _ -`.
    static func problem(with name: String) -> String? {
        if reserved.contains(name) { return "'\(name)' is reserved: every route leads there by itself" }
        guard (1...200).contains(name.utf8.count) else { return "an actor's name must have 1 to 200 characters" }
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isPlain ? nil : "'\(name)' is no name of an actor: A-Z a-z 0-9 . _ - are allowed"
    }
}
