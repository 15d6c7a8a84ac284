internal import FoundationEssentials
internal import Glibc

/// Who listens on a port of this machine, as far as we may know.
enum PortHolder {
    /// Whether somebody could listen there now.
    static func isFree(_ port: Int, on host: String) -> Bool {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let first = list else { return true }
        defer { freeaddrinfo(list) }
        let descriptor = socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 || errno != EADDRINUSE
    }

    /// `python3, pid 123`; `nil` where we may not look.
    static func name(of port: Int) -> String? {
        let sockets = Set(
            ["/proc/net/tcp", "/proc/net/tcp6"].flatMap { inodes(in: $0, port) }.map { "socket:[\($0)]" })
        let files = FileManager.default
        for pid in (try? files.contentsOfDirectory(atPath: "/proc")) ?? [] where pid.allSatisfy(\.isNumber) {
            let folder = "/proc/\(pid)/fd"
            for number in (try? files.contentsOfDirectory(atPath: folder)) ?? [] {
                guard let target = try? files.destinationOfSymbolicLink(atPath: "\(folder)/\(number)"),
                    sockets.contains(target)
                else { continue }
                let name = files.contents(atPath: "/proc/\(pid)/comm").map { String(decoding: $0, as: UTF8.self) }
                return "\((name ?? "a program").harmless.filter { !$0.isWhitespace }), pid \(pid)"
            }
        }
        return nil
    }

    /// Of sockets that listen there.
    private static func inodes(in table: String, _ port: Int) -> [Substring] {
        guard let data = FileManager.default.contents(atPath: table) else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A", let own = fields[1].split(separator: ":").last,
                Int(own, radix: 16) == port
            else { return nil }
            return fields[9]
        }
    }
}
