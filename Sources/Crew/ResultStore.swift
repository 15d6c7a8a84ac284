/// Where bytes are kept under a key. Putting the same key again replaces what is there.
protocol ResultStore: Sendable {
    /// Returns once the bytes are safe.
    /// - Parameter key: parts joined by '/', as `ResultKey` makes them.
    func put(_ bytes: [UInt8], at key: String) async throws(StorageError)
}

struct StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What happened, in words; no credentials.
    let message: String
    /// Whether it may work later without anybody's help.
    let isTransient: Bool

    init(_ message: String, isTransient: Bool = false) {
        self.message = message
        self.isTransient = isTransient
    }

    var description: String { message }
}
