internal import Glibc

extension Settings {
    /// A secret: the setting itself, or what stands in the file that another one names. White space around it doesn't count.
    public mutating func secret(_ name: String, orFile fileName: String) -> String? {
        guard let path = text(fileName) else { return text(name) }
        if text(name) != nil {
            problem("TROUPE_\(name)", "stands beside TROUPE_\(fileName): only one of them can be meant")
        }
        guard let text = Self.contents(of: path) else {
            problem(
                "TROUPE_\(fileName)", "'\(path)' cannot be read, or is no text of at most \(Self.secretLimit) bytes")
            return nil
        }
        guard !text.isEmpty else {
            problem("TROUPE_\(fileName)", "'\(path)' is empty")
            return nil
        }
        return text
    }

    private static let secretLimit = 64 << 10

    private static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0, bytes.count + count <= secretLimit else { return nil }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        return String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
