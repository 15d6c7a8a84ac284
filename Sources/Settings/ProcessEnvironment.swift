internal import CEpoll

extension Settings {
    /// The settings of this process.
    public static func ofProcess() -> Settings {
        var environment: [String: String] = [:]
        var entry = troupe_environment()
        while let text = entry?.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                environment[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            entry = entry?.advanced(by: 1)
        }
        return Settings(environment: environment)
    }
}
