import Foundation

/// A path that nobody else uses; what lies there goes when this goes. The folder itself is not made.
public final class TemporaryFolder: Sendable {
    public let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("troupe-\(UInt64.random(in: 0 ... .max))").path

    public init() {}

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
