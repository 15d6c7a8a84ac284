import ArgumentParser

/// How a command ends: docs/cli.md has the table for scripts. Numbers from 64 on are those of sysexits.
enum CommandExit: Int32, CaseIterable, Sendable {
    case ok = 0
    /// An envelope has failed, or something could not be done with some of many.
    case failed = 1
    case cancelled = 2
    /// The command line, or a tool's arguments.
    case usage = 64
    /// Input that can't be read, or that the gateway refuses.
    case badInput = 65
    /// There is no such envelope, tool, actor or file.
    case notFound = 66
    case noGateway = 69
    /// The gateway has a fault, or speaks another language.
    case gatewayFault = 70
    case cannotWrite = 73
    /// It takes too long, or the gateway is too busy: later it may well go.
    case tryAgain = 75
    case notAllowed = 77
    case wrongSettings = 78
    case interrupted = 130
    /// Who was to read the output has gone.
    case brokenPipe = 141
    case terminated = 143

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
