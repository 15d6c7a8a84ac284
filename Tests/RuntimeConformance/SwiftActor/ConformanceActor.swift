import ActorKit
import FoundationEssentials

/// The Swift twins of `handlers.py`: TROUPE_HANDLER (`handlers.echo`, ...) says which one runs.
@main
enum ConformanceActor {
    static func main() async {
        let environment = ProcessInfo.processInfo.environment
        let name = environment["TROUPE_HANDLER"] ?? environment["ASYA_HANDLER"] ?? ""
        switch name.hasPrefix("handlers.") ? name.dropFirst("handlers.".count) : "" {
        case "abort": await Abort.main()
        case "add_header": await AddHeader.main()
        case "add_steps": await AddSteps.main()
        case "advance": await Advance.main()
        case "answer": await Answer.main()
        case "describe": await Describe.main()
        case "echo": await Echo.main()
        case "emit": await Emit.main()
        case "erase_done": await EraseDone.main()
        case "fail": await Fail.main()
        case "fan_out": await FanOutItems.main()
        case "grow": await Grow.main()
        case "printing": await Printing.main()
        case "replace_steps": await ReplaceSteps.main()
        case "sleep": await Sleep.main()
        case "wait": await Wait.main()
        default: StartError("TROUPE_HANDLER: '\(name)' is no handler of the table, such as handlers.echo").endProcess()
        }
    }
}
