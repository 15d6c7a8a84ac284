internal import Envelopes

/// Tools of the gateway itself: to submit by route, and to look after what has been submitted.
enum OwnTool: String, Sendable, CaseIterable {
    case submit = "troupe_submit"
    case status = "troupe_status"
    case list = "troupe_list"
    case cancel = "troupe_cancel"
    case retry = "troupe_retry"
    case listActors = "troupe_list_actors"
    case listDeadLetters = "troupe_dlq_list"
    case replayDeadLetters = "troupe_dlq_replay"
    case injectFault = "troupe_fault_inject"
    case listFaults = "troupe_fault_list"
    case resetFaults = "troupe_fault_reset"

    var description: String {
        switch self {
        case .submit: "Submits an envelope by its route, a list of actors, and answers with its id at once."
        case .status: "Tells how far an envelope is: status, actor, progress, result or error, and its children."
        case .list: "Lists envelopes without payloads and results, the newest first."
        case .cancel: "Cancels an envelope that has not ended. What an actor is doing for it just now may still happen."
        case .retry: "Sends an envelope again that has failed or was cancelled."
        case .listActors: "Lists the actors that have been heard of."
        case .listDeadLetters: "Lists dead letters: messages that no actor could deal with, with the reason."
        case .replayDeadLetters: "Sends dead letters to their actors again."
        case .injectFault:
            "Lets something go wrong at an actor on purpose, for a while: latency, time-outs, errors, crashes, load, bad data."
        case .listFaults: "Lists what goes wrong on purpose just now."
        case .resetFaults: "Ends faults before their time: one, those of an actor or an owner, or all."
        }
    }

    var scope: Scope {
        switch self {
        case .submit: .submit
        case .status, .list, .listActors, .listFaults: .read
        case .cancel, .retry, .listDeadLetters, .replayDeadLetters, .injectFault, .resetFaults: .operate
        }
    }

    /// Whether it is of no use where no faults are to be injected.
    var needsFaults: Bool { [.injectFault, .listFaults, .resetFaults].contains(self) }

    private var isReadOnly: Bool {
        switch self {
        case .status, .list, .listActors, .listDeadLetters, .listFaults: true
        case .submit, .cancel, .retry, .replayDeadLetters, .injectFault, .resetFaults: false
        }
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("name", rawValue)
        writer.member("description", description)
        writer.name("inputSchema")
        writer.append(schema.json)
        writer.name("annotations")
        writer.beginObject()
        writer.name("readOnlyHint")
        writer.append(isReadOnly)
        if !isReadOnly {
            writer.name("destructiveHint")
            writer.append(self == .cancel || self == .injectFault)
        }
        writer.endObject()
        writer.endObject()
    }

    /// Of the arguments.
    var schema: JSONSchema { Self.schemas[self] ?? .objects }

    /// A test sees to it that all of them can be read.
    private static let schemas = Dictionary(
        uniqueKeysWithValues: allCases.compactMap { tool in
            (try? RawJSON(Array(tool.schemaText.utf8))).flatMap { try? JSONSchema($0) }.map { (tool, $0) }
        })

    private var schemaText: String {
        switch self {
        case .submit:
            """
            {"type":"object","properties":{\
            "route":{"type":"array","items":{"type":"string"},"minItems":1,"description":"Names of actors, in order"},\
            "payload":{"description":"What the first actor gets: any JSON"},\
            "id":{"type":"string","description":"1 to 200 characters of A-Z a-z 0-9 . _ : -; by default a new one"},\
            "timeout":{"type":"string","description":"Time until it has to be done, like 5m"}},\
            "required":["route","payload"],"additionalProperties":false}
            """
        case .status, .cancel:
            """
            {"type":"object","properties":{"id":{"type":"string","description":"The envelope's id"}},\
            "required":["id"],"additionalProperties":false}
            """
        case .retry:
            """
            {"type":"object","properties":{"id":{"type":"string","description":"The envelope's id"},\
            "from":{"enum":["failed_step","start"],"default":"failed_step","description":"Which actor gets it first"}},\
            "required":["id"],"additionalProperties":false}
            """
        case .list:
            """
            {"type":"object","properties":{\
            "status":{"enum":["pending","running","retrying","succeeded","failed","cancelled"]},\
            "parent":{"type":"string","description":"Children of this envelope only"},\
            "limit":{"type":"integer","minimum":1,"maximum":100,"default":20},\
            "cursor":{"type":"string","description":"From the answer before"}},"additionalProperties":false}
            """
        case .listActors: #"{"type":"object","additionalProperties":false}"#
        case .injectFault:
            """
            {"type":"object","properties":{\
            "kind":{"enum":["latency","timeout","error","crash","cpu","memory","bad_data","drop","hang"]},\
            "actor":{"type":"string","description":"Its name, or * for all"},\
            "duration":{"type":"string","description":"Like 30s, which is the default"},\
            "probability":{"type":"number","minimum":0,"maximum":1},\
            "intensity":{"type":"number","description":"The amount is multiplied with it"},\
            "times":{"type":"integer","minimum":1,"description":"How often each replica has it strike"},\
            "match":{"type":"object","description":"Headers that an envelope must have"},\
            "delay":{"type":"string","description":"latency, timeout, crash: like 500ms"},\
            "error_type":{"type":"string","description":"error"},\
            "message":{"type":"string","description":"error"},\
            "cpu":{"type":"string","description":"cpu: time of work, like 10s"},\
            "load":{"type":"number","description":"cpu: share of a core, above 0 up to 1"},\
            "bytes":{"type":"integer","minimum":1,"description":"memory"},\
            "changes":{"type":"array","items":{"type":"object"},\
            "description":"bad_data: {op, at, ...}; op is drop, null, set, swap_type, truncate, scale or garbage"},\
            "seed":{"type":"integer","minimum":0},"owner":{"type":"string"},\
            "id":{"type":"string","description":"Asking again by it starts no second fault"}},\
            "required":["kind","actor"],"additionalProperties":false}
            """
        case .listFaults:
            """
            {"type":"object","properties":{"actor":{"type":"string"},"owner":{"type":"string"},\
            "all":{"type":"boolean","description":"Also those that have ended"}},"additionalProperties":false}
            """
        case .resetFaults:
            """
            {"type":"object","properties":{"id":{"type":"string"},"actor":{"type":"string"},"owner":{"type":"string"}},\
            "additionalProperties":false}
            """
        case .listDeadLetters, .replayDeadLetters:
            """
            {"type":"object","properties":{\
            "actor":{"type":"string"},\
            "ids":{"type":"array","items":{"type":"string"},"minItems":1,"description":"Of envelopes"},\
            "type":{"type":"string","description":"A part of the reason"},\
            "older_than":{"type":"string","description":"Like 1h"},\
            "newer_than":{"type":"string","description":"Like 1h"},\
            "limit":{"type":"integer","minimum":1,"maximum":1000,"default":100},\
            "dry_run":{"type":"boolean","description":"Only tell which ones are meant"}},"additionalProperties":false}
            """
        }
    }
}
