import ArgumentParser
import Envelopes
import EventLoops

/// `troupe mission`
struct MissionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mission",
        abstract: "Missions between planets, where `actors/missions` runs.",
        discussion: """
            Short for calls of that project's tools: docs/missions.md.

              troupe mission create planet-a planet-c --rps 20 --speed warp
              troupe mission list --status active
              troupe mission show m-0190c7a4-...
              troupe mission terminate m-0190c7a4-...
            """,
        subcommands: [MissionCreate.self, MissionList.self, MissionShow.self, MissionTerminate.self],
        defaultSubcommand: MissionList.self)
}

struct MissionCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Starts a mission, and writes its id.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions
    @Argument(help: "The planet where ships leave.") var source: String
    @Argument(help: "The planet where they dock.") var destination: String
    @Option(help: "Docks a second, 1 to 1000.") var rps: Int

    @Option(help: "cruise, warp or chaotic.", completion: .list(["cruise", "warp", "chaotic"]))
    var speed = "cruise"

    @Option(
        name: .customLong("for"), help: ArgumentHelp("How long: 30s, 5m, ...; for ever unless set.", valueName: "time"))
    var duration: String?

    @Flag(inversion: .prefixedNo, help: "Whether struck ships try again, and have twice the time.") var escort = true

    func validate() throws { _ = try seconds }

    private var seconds: Double? { get throws { try duration.map { try Duration(option: "--for", $0).inSeconds } } }

    func run() async throws {
        var arguments: [RawJSON.Member] = [
            .init(name: "source_id", value: RawJSON(string: source)),
            .init(name: "destination_id", value: RawJSON(string: destination)),
            .init(name: "rps", value: RawJSON(integer: rps)),
            .init(name: "speed", value: RawJSON(string: speed)),
            .init(name: "escort_enabled", value: RawJSON { $0.append(escort) }),
        ]
        if let seconds = try seconds {
            arguments.append(.init(name: "seconds", value: RawJSON { $0.append(seconds) }))
        }
        let mission = try await MissionTool("create_mission", gateway).call(arguments)
        Output.line(options.isJSON ? mission.description : mission["id"]?.string?.printable ?? "")
    }
}

struct MissionList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Shows missions, the newest first.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions

    @Option(help: "active, scheduled, running, completed, terminated, failed or all.") var status = "all"
    @Option(help: "Only those that begin or end there.") var planet: String?

    func run() async throws {
        var arguments = [RawJSON.Member(name: "status", value: RawJSON(string: status))]
        if let planet { arguments.append(.init(name: "planet", value: RawJSON(string: planet))) }
        let answer = try await MissionTool("list_missions", gateway).call(arguments)
        if options.isJSON { return Output.line(answer.description) }
        let missions = answer["missions"]?.elements ?? []
        if missions.isEmpty { return Output.line("no missions") }
        for line in MissionTable(missions).lines(width: Terminal.output().columns) { Output.line(line) }
    }
}

struct MissionShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows a mission: what was offered, what docked, what failed and why.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions
    @Argument(help: "The mission's id.") var id: String

    func run() async throws {
        let mission = try await MissionTool("get_mission", gateway).call([MissionTool.id(id)])
        if options.isJSON { return Output.line(mission.description) }
        for line in MissionText(mission).lines { Output.line(line.printable) }
    }
}

struct MissionTerminate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "terminate", abstract: "Ends a mission at once, with all its ships.")

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @OptionGroup var options: OutputOptions
    @Argument(help: "The mission's id.") var id: String

    func run() async throws {
        let mission = try await MissionTool("terminate_mission", gateway).call([MissionTool.id(id)])
        if options.isJSON { return Output.line(mission.description) }
        for line in MissionText(mission).lines { Output.line(line.printable) }
    }
}
