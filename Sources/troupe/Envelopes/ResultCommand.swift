import ArgumentParser
import Envelopes
import EventLoops
import Glibc
import HTTPClient

/// `troupe result`
struct ResultCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "result",
        abstract: "Writes an envelope's result, byte for byte as the last handler returned it.",
        discussion: """
              troupe result 0190c7a4-...
              troupe result 0190c7a4-... --wait 5m --output-file cat.json
            """)

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @Argument(help: "The envelope's id.", completion: .envelopeIDs) var id: String

    @Option(help: ArgumentHelp("Wait so long for the end; code 75 when it has not come then.", valueName: "duration"))
    var wait: String?

    @Option(help: ArgumentHelp("Write it there.", valueName: "file"), completion: .file())
    var outputFile: String?

    func validate() throws {
        try EnvelopeIDs.check([id])
        _ = try limit
    }

    private var limit: Duration? { get throws { try wait.map { try Duration(option: "--wait", $0) } } }

    func run() async throws {
        let result = try await result(gateway.client(), until: try limit.map { MonotonicTime.now.advanced(by: $0) })
        if let outputFile {
            try write(result, to: outputFile)
        } else {
            Output.bytes(result + [UInt8(ascii: "\n")])
        }
    }

    /// Asks again while it has not ended and there is time: the gateway waits a minute at most.
    private func result(_ client: GatewayClient, until end: MonotonicTime?) async throws -> [UInt8] {
        let path = "/envelopes/\(id.percentEncoded())/result"
        var reconnection = Reconnection()
        while true {
            let left = end.map { MonotonicTime.now.duration(to: $0) } ?? .zero
            let seconds = min(60, Int(left.inSeconds.rounded(.up)))
            do throws(GatewayError) {
                return try await client.exchange(.get, seconds > 0 ? "\(path)?wait=\(seconds)s" : path)
            } catch {
                if error.code == "not_ended" {
                    guard left > .zero else { throw CommandFailure(error.description, .tryAgain) }
                    reconnection.connected()
                } else if error.code == "no_result" {
                    throw CommandFailure("\(error). Send it again: troupe retry \(id)", .failed)
                } else {
                    guard left > .zero, case .wait(let pause) = reconnection.failed(error) else { throw error }
                    try await Task.sleep(for: min(pause, left))
                }
            }
        }
    }

    /// Whole or not at all.
    private func write(_ bytes: [UInt8], to path: String) throws {
        let partial = "\(path).part"
        let descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw failure(path) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let failure = failure(path)
                close(descriptor)
                unlink(partial)
                throw failure
            }
            rest = rest.dropFirst(count)
        }
        guard close(descriptor) == 0, rename(partial, path) == 0 else { throw failure(path) }
    }

    private func failure(_ path: String) -> CommandFailure {
        CommandFailure("'\(path)' can't be written: \(String(cString: strerror(errno)))", .cannotWrite)
    }
}
