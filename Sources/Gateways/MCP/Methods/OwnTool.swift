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
        }
    }

    var scope: Scope {
        switch self {
        case .submit: .submit
        case .status, .list, .listActors: .read
        case .cancel, .retry, .listDeadLetters, .replayDeadLetters: .operate
        }
    }

    private var isReadOnly: Bool {
        switch self {
        case .status, .list, .listActors, .listDeadLetters: true
        case .submit, .cancel, .retry, .replayDeadLetters: false
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
            writer.append(self == .cancel)
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
