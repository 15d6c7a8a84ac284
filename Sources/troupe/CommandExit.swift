import ArgumentParser

/// How a command ends: docs/cli.md has the table for scripts. Numbers from 64 on are those of sysexits.
enum CommandExit: Int32, CaseIterable, Sendable {
    case ok = 0
    case failed = 1
    case cancelled = 2
    case usage = 64
    case badInput = 65
    case notFound = 66
    case noGateway = 69
    case gatewayFault = 70
    case cannotWrite = 73
    case tryAgain = 75
    case notAllowed = 77
    case wrongSettings = 78
    case interrupted = 130
    case brokenPipe = 141
    case terminated = 143

    var meaning: String {
        switch self {
        case .ok: "All is well; of an envelope that was waited for: it has succeeded"
        case .failed:
            "An envelope has failed, or one that came out of it; or something could not be done with some of many"
        case .cancelled: "An envelope was cancelled"
        case .usage: "The command line, or a tool's arguments, can't be used"
        case .badInput: "The input can't be read, or the gateway refuses it"
        case .notFound: "There is no such envelope, tool, actor or file"
        case .noGateway: "No gateway answers"
        case .gatewayFault: "The gateway has a fault, or is none"
        case .cannotWrite: "A file can't be written"
        case .tryAgain: "It has not ended in time, or the gateway is too busy: try again"
        case .notAllowed: "The key is missing, or doesn't allow this"
        case .wrongSettings: "A setting is wrong"
        case .interrupted: "Stopped by Ctrl-C; envelopes go on"
        case .brokenPipe: "Who was to read the output has gone"
        case .terminated: "Stopped by SIGTERM; envelopes go on"
        }
    }

    var code: ExitCode { ExitCode(rawValue) }
}

/// Why a command could not do its work, in words that say what to do.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String
    let exit: CommandExit

    init(_ description: String, _ exit: CommandExit) {
        self.description = description
        self.exit = exit
    }
}
