/// Parts of JSON Pointers (RFC 6901, section 3): `~` stands as `~0` and `/` as `~1`. The standard library's `replacing` would do, but
/// brings its parser of regular expressions into every sidecar's memory.
public enum JSONPointer {
    public static func escaped(_ part: some StringProtocol) -> String {
        var escaped = ""
        for scalar in part.unicodeScalars {
            switch scalar {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    public static func unescaped(_ part: some StringProtocol) -> String {
        var unescaped = ""
        var isEscape = false
        for scalar in part.unicodeScalars {
            if isEscape, scalar == "0" || scalar == "1" {
                unescaped += scalar == "0" ? "~" : "/"
                isEscape = false
                continue
            }
            if isEscape { unescaped += "~" }
            isEscape = scalar == "~"
            if !isEscape { unescaped.unicodeScalars.append(scalar) }
        }
        return isEscape ? unescaped + "~" : unescaped
    }
}
