/// Where bytes are kept under a key. Putting the same key again replaces what is there.
protocol ResultStore: Sendable {
    /// Returns once the bytes are safe.
    /// - Parameter key: parts joined by '/', as `ResultKey` makes them.
    func put(_ bytes: [UInt8], at key: String) async throws(StorageError)
}

struct StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What happened, in words; no credentials.
    let message: String
    /// Whether it may work in a moment without anybody's help.
    let isTransient: Bool
    /// Whether it is these bytes or this key that the store will never take.
    let isAboutTheObject: Bool

    init(_ message: String, isTransient: Bool = false, isAboutTheObject: Bool = false) {
        self.message = message
        self.isTransient = isTransient
        self.isAboutTheObject = isAboutTheObject
    }

    var description: String { message }
}
