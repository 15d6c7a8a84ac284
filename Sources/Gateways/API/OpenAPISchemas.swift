/// The parts of the API's document that several operations share.
enum OpenAPISchemas {
    static let all: [(name: String, schema: Schema)] = [
        ("EnvelopeID", envelopeID), ("ActorName", actorName), ("Status", status), ("Route", route),
        ("Schedule", schedule), ("Submission", submission), ("ToolSubmission", toolSubmission), ("Accepted", accepted),
        ("ChildRegistration", childRegistration),
        ("Envelope", envelope), ("EnvelopeState", envelopeState), ("EnvelopeList", envelopeList), ("Update", update),
        ("UpdateList", updateList),
        ("Step", step),
        ("ProgressReport", progressReport), ("FinalReport", finalReport),
        ("Tool", tool), ("ToolCall", toolCall), ("ToolResult", toolResult),
        ("Actor", actor), ("ActorAnswer", actorAnswer), ("ActorList", actorList), ("PauseRequest", pauseRequest),
        ("QueueList", queueList), ("Broker", broker),
        ("DeadLetter", deadLetter), ("DeadLetterList", deadLetterList), ("DeadLetterSelection", deadLetterSelection),
        ("Fault", fault), ("FaultList", faultList), ("FaultRequest", faultRequest),
        ("TimeSpan", timeSpan), ("Problem", problem),
    ]

    private static let envelopeID: Schema = #"""
        {"type":"string","minLength":1,"maxLength":200,"pattern":"^[A-Za-z0-9._:-]+$"}
        """#

    private static let actorName: Schema = #"""
        {"type":"string","minLength":1,"maxLength":200,"pattern":"^[A-Za-z0-9._-]+$","not":{"enum":["happy-end","error-end"]}}
        """#

    private static let status: Schema = #"""
        {"enum":["pending","running","retrying","succeeded","failed","cancelled","unknown"],
        "description":"Moves forward only; the last three but one are final, until what has failed or was cancelled is sent again"}
        """#

    private static let route: Schema = ##"""
        {"type":"object","required":["actors"],"properties":{
        "actors":{"type":"array","items":{"$ref":"#/components/schemas/ActorName"},"minItems":1,"maxItems":1000},
        "current":{"type":"integer","description":"Whose turn it is, from 0","const":0}}}
        """##

    /// Members that say when; at most one of each pair.
    private static let schedule: Schema = ##"""
        {"type":"object","properties":{
        "delay_ms":{"type":["integer","null"],"minimum":0,"maximum":316224000000,"description":"Starts so much later; not beside not_before"},
        "not_before":{"type":["string","null"],"format":"date-time","description":"Starts then; not beside delay_ms; at most ten years ahead"},
        "timeout":{"description":"Must end so long after its start: seconds, or a text like \"5m\"","oneOf":[
        {"type":"number","exclusiveMinimum":0,"maximum":316224000},{"$ref":"#/components/schemas/TimeSpan"},{"type":"null"}]},
        "deadline":{"type":["string","null"],"format":"date-time","description":"Must end by then; must be after the start"}}}
        """##

    private static let submission: Schema = ##"""
        {"type":"object","required":["route","payload"],"properties":{
        "id":{"anyOf":[{"$ref":"#/components/schemas/EnvelopeID"},{"type":"null"}]},
        "route":{"$ref":"#/components/schemas/Route"},
        "headers":{"type":["object","null"],"description":"Travel with the envelope"},
        "payload":{"description":"Any JSON, handed on byte for byte"}},
        "allOf":[{"$ref":"#/components/schemas/Schedule"}]}
        """##

    private static let toolSubmission: Schema = ##"""
        {"type":"object","required":["tool"],"properties":{
        "id":{"anyOf":[{"$ref":"#/components/schemas/EnvelopeID"},{"type":"null"}]},"tool":{"type":"string","minLength":1},
        "arguments":{"type":["object","null"]},"headers":{"type":["object","null"]}},
        "allOf":[{"$ref":"#/components/schemas/Schedule"}]}
        """##

    private static let accepted: Schema = ##"""
        {"type":"object","required":["id","status"],"properties":{
        "id":{"type":"string"},"status":{"enum":["pending","created"]},
        "not_before":{"type":"string","format":"date-time"},"status_url":{"type":"string"},"stream_url":{"type":"string"}}}
        """##

    private static let childRegistration: Schema = ##"""
        {"type":"object","required":["id","parent_id"],"properties":{
        "id":{"$ref":"#/components/schemas/EnvelopeID"},"parent_id":{"$ref":"#/components/schemas/EnvelopeID"},
        "actors":{"type":["array","null"],"items":{"type":["string","null"]}},"current":{"type":["integer","null"]}}}
        """##

    private static let envelopeState: Schema = ##"""
        {"type":"object","required":["id","status","route","progress_percent","message","created_at","updated_at"],"properties":{
        "id":{"type":"string"},"parent_id":{"type":"string"},"tool":{"type":"string","description":"The tool that it was submitted by"},
        "status":{"$ref":"#/components/schemas/Status"},
        "route":{"type":"object","required":["actors","current"],"properties":{
        "actors":{"type":"array","items":{"type":"string"}},"current":{"type":"integer"}}},
        "error":{"type":"string"},"timeout_seconds":{"type":"number"},
        "deadline":{"type":"string","format":"date-time"},"not_before":{"type":"string","format":"date-time"},
        "progress_percent":{"type":"number","minimum":0,"maximum":100},
        "current_actor_idx":{"type":"integer"},"current_actor_name":{"type":"string"},
        "attempt":{"type":"integer","minimum":1},"next_attempt_at":{"type":"string","format":"date-time"},
        "message":{"type":"string"},"actors_completed":{"type":"integer"},"total_actors":{"type":"integer"},
        "created_at":{"type":"string","format":"date-time"},"updated_at":{"type":"string","format":"date-time"}}}
        """##

    private static let envelope: Schema = ##"""
        {"allOf":[{"$ref":"#/components/schemas/EnvelopeState"}],"required":["payload","result"],"properties":{
        "payload":{"description":"As it was submitted; null for the child of a fan-out"},
        "result":{"description":"As the last handler returned it; null before the end"},
        "steps":{"type":"array","items":{"$ref":"#/components/schemas/Step"},"description":"In order; the last few hundred"},
        "children":{"type":"object","additionalProperties":{"type":"integer"},"description":"How many children have which status"}}}
        """##

    private static let step: Schema = #"""
        {"type":"object","required":["actor","outcome","received_at"],"properties":{
        "actor":{"type":"string"},"actor_idx":{"type":"integer"},"attempt":{"type":"integer","minimum":1},
        "outcome":{"enum":["running","completed","retrying","failed","cancelled"]},
        "received_at":{"type":"string","format":"date-time"},"ended_at":{"type":"string","format":"date-time"},
        "wait_ms":{"type":"number","description":"In the queue, with the pause before a retry"},
        "run_ms":{"type":"number","description":"With the actor"},"error":{"type":"string"},
        "faults":{"type":"array","description":"What went wrong on purpose","items":{"type":"object","required":["injected","fault","kind","message"],
        "properties":{"injected":{"const":true},"fault":{"type":"string"},"kind":{"type":"string"},"owner":{"type":"string"},
        "message":{"type":"string"}}}}}}
        """#

    private static let updateList: Schema = ##"""
        {"type":"object","required":["updates"],"properties":{
        "updates":{"type":"array","items":{"allOf":[{"$ref":"#/components/schemas/Update"}],"required":["number"],
        "properties":{"number":{"type":"integer","description":"The event's id in a stream"}}}},
        "next_after":{"type":"integer","description":"For the next page; absent at the end"}}}
        """##

    private static let envelopeList: Schema = ##"""
        {"type":"object","required":["envelopes"],"properties":{
        "envelopes":{"type":"array","items":{"$ref":"#/components/schemas/EnvelopeState"}},
        "next_cursor":{"type":"string","description":"For the next page; absent at the end"}}}
        """##

    private static let update: Schema = ##"""
        {"type":"object","required":["id","status","message","timestamp"],"properties":{
        "id":{"type":"string"},"parent_id":{"type":"string","description":"The envelope that it came out of by fan-out"},
        "status":{"$ref":"#/components/schemas/Status"},"message":{"type":"string"},
        "progress_percent":{"type":"number"},"actor":{"type":"string"},"actors":{"type":"array","items":{"type":"string"}},
        "current_actor_idx":{"type":"integer"},"envelope_state":{"type":"string"},"attempt":{"type":"integer"},
        "next_attempt_at":{"type":"string","format":"date-time"},"result":true,"error":{"type":"string"},
        "timestamp":{"type":"string","format":"date-time","description":"When it was written"},
        "reported_at":{"type":"string","format":"date-time","description":"When it happened"}}}
        """##

    private static let progressReport: Schema = #"""
        {"type":"object","required":["status"],"properties":{
        "status":{"enum":["received","processing","completed","retrying"]},
        "actors":{"type":["array","null"],"items":{"type":["string","null"]}},"current_actor_idx":{"type":["integer","null"]},
        "current_actor_name":{"type":["string","null"]},"message":{"type":["string","null"]}}}
        """#

    private static let finalReport: Schema = #"""
        {"type":"object","required":["status"],"properties":{
        "status":{"enum":["succeeded","failed","cancelled"]},"result":true,"error":{"type":["string","null"]},"error_details":true,
        "actors":{"type":["array","null"],"items":{"type":["string","null"]}},"current_actor_idx":{"type":["integer","null"]},
        "current_actor_name":{"type":["string","null"]},"message":{"type":["string","null"]}}}
        """#

    private static let tool: Schema = #"""
        {"type":"object","required":["name","description","inputSchema"],"properties":{
        "name":{"type":"string"},"title":{"type":"string"},"description":{"type":"string"},"inputSchema":{"type":"object"}}}
        """#

    private static let toolCall: Schema = ##"""
        {"type":"object","required":["name"],"properties":{
        "name":{"type":"string","minLength":1},"arguments":{"type":["object","null"]}},"allOf":[{"$ref":"#/components/schemas/Schedule"}]}
        """##

    private static let toolResult: Schema = #"""
        {"type":"object","required":["content","isError"],"properties":{
        "content":{"type":"array","items":{"type":"object","required":["type","text"],"properties":{
        "type":{"const":"text"},"text":{"type":"string"}}}},"isError":{"type":"boolean"}}}
        """#

    private static let actor: Schema = #"""
        {"type":"object","required":["name","state","ready","consumers","dead_letters","in_flight","rates","first_seen","last_seen"],
        "properties":{
        "name":{"type":"string"},"state":{"enum":["running","paused"]},
        "paused":{"type":"object","description":"Only while it is","required":["since"],"properties":{
        "since":{"type":"string","format":"date-time"},"by":{"type":"string"},"reason":{"type":"string"}}},
        "ready":{"type":["integer","null"],"description":"Messages in its queue that no sidecar has; null where there is no queue or no broker"},
        "consumers":{"type":["integer","null"],"description":"Sidecars that take from its queue; none while it is paused"},
        "dead_letters":{"type":["integer","null"],"description":"Messages in its dead letters"},
        "in_flight":{"type":"integer","description":"Unfinished envelopes that it has reported on and not yet sent on: at a sidecar, at the handler, or waiting for a retry. Counted among the 50,000 oldest of each status"},
        "oldest_at":{"type":"string","format":"date-time","description":"Of the unfinished envelopes whose turn it is here, in the queue or in flight: the last news of the one that nothing was heard of for longest. Absent where there is none"},
        "rates":{"type":"object","required":["window_seconds","completed_per_minute","failed_per_minute","retried_per_minute"],
        "description":"What it has reported lately; end actors report none of it","properties":{
        "window_seconds":{"type":"number","description":"300, or less where there were more than some 50,000 reports in that time"},
        "completed_per_minute":{"type":"number","description":"Envelopes sent on"},
        "failed_per_minute":{"type":"number","description":"Envelopes that have failed here for good"},
        "retried_per_minute":{"type":"number","description":"Attempts that failed, with another to come"}}},
        "first_seen":{"type":"string","format":"date-time"},
        "last_seen":{"type":"string","format":"date-time","description":"When a sidecar of its has last started, or a dead letter came"}}}
        """#

    private static let broker: Schema = #"""
        {"type":"object","required":["available"],"properties":{
        "available":{"type":"boolean","description":"Whether the broker could be asked"},
        "reason":{"type":"string","description":"Why it could not"}}}
        """#

    private static let actorAnswer: Schema = ##"""
        {"type":"object","required":["broker","actor"],"properties":{
        "broker":{"$ref":"#/components/schemas/Broker"},"actor":{"$ref":"#/components/schemas/Actor"}}}
        """##

    private static let actorList: Schema = ##"""
        {"type":"object","required":["broker","actors"],"properties":{
        "broker":{"$ref":"#/components/schemas/Broker"},
        "actors":{"type":"array","items":{"$ref":"#/components/schemas/Actor"}}}}
        """##

    private static let pauseRequest: Schema = #"""
        {"type":"object","properties":{"reason":{"type":["string","null"],"description":"At most 500 bytes of UTF-8"}}}
        """#

    private static let queueList: Schema = ##"""
        {"type":"object","required":["broker","queues"],"properties":{
        "broker":{"$ref":"#/components/schemas/Broker"},
        "queues":{"type":"array","items":{"type":"object","required":["name","kind","ready","consumers"],"properties":{
        "name":{"type":"string"},
        "kind":{"enum":["actor","dead_letters","status_reports","dead_letter_notices","control_requests"]},
        "actor":{"type":"string"},"ready":{"type":["integer","null"]},"consumers":{"type":["integer","null"]}}}}}}
        """##

    private static let deadLetter: Schema = #"""
        {"type":"object","required":["actor","id","reason","size"],"properties":{
        "actor":{"type":"string"},"id":{"type":"string"},"reason":{"type":"string"},
        "time":{"type":"string","format":"date-time"},"size":{"type":"integer","description":"Bytes"},
        "error":{"type":"string","description":"Why it could not be sent again"},
        "message":{"description":"The message itself; only where one is asked for"},"message_base64":{"type":"string"}}}
        """#

    private static let deadLetterList: Schema = ##"""
        {"type":"object","required":["dead_letters","done","failed","more"],"properties":{
        "dead_letters":{"type":"array","items":{"$ref":"#/components/schemas/DeadLetter"}},
        "done":{"type":"integer"},"failed":{"type":"integer"},
        "more":{"type":"boolean","description":"Whether there are more than the limit let through"}}}
        """##

    private static let deadLetterSelection: Schema = ##"""
        {"type":"object","additionalProperties":false,"properties":{
        "actor":{"type":["string","null"],"minLength":1},"ids":{"type":["array","null"],"items":{"type":["string","null"]},"minItems":1},
        "type":{"type":["string","null"],"description":"A part of the reason"},
        "older_than":{"anyOf":[{"$ref":"#/components/schemas/TimeSpan"},{"type":"null"}]},
        "newer_than":{"anyOf":[{"$ref":"#/components/schemas/TimeSpan"},{"type":"null"}]},
        "before":{"type":["string","null"],"format":"date-time"},"limit":{"type":["integer","null"],"minimum":1,"maximum":1000},
        "dry_run":{"type":["boolean","null"]}}}
        """##

    private static let faultMembers = ##"""
        "id":{"type":"string","minLength":1,"maxLength":100,"description":"Asking again by it starts no second fault"},
        "kind":{"enum":["latency","timeout","error","crash","cpu","memory","bad_data","drop","hang"]},
        "actor":{"type":"string","description":"Whose deliveries it may strike; * for everybody's"},
        "match":{"type":"object","maxProperties":10,"additionalProperties":{"type":["string","number","boolean"]},
        "description":"Headers that an envelope must have"},
        "probability":{"type":"number","minimum":0,"maximum":1,"default":1},
        "intensity":{"type":"number","exclusiveMinimum":0,"maximum":1000,"default":1,"description":"The effect's amount is multiplied with it"},
        "times":{"type":"integer","minimum":1,"maximum":1000000,"description":"How often each replica has it strike"},
        "seed":{"type":"integer","minimum":0,"maximum":9007199254740992},"owner":{"type":"string","maxLength":200},
        "delay":{"anyOf":[{"$ref":"#/components/schemas/TimeSpan"},{"type":"number","minimum":0}],"description":"latency, timeout, crash"},
        "error_type":{"type":"string","maxLength":100,"description":"error"},"message":{"type":"string","maxLength":500,"description":"error"},
        "cpu":{"anyOf":[{"$ref":"#/components/schemas/TimeSpan"},{"type":"number","minimum":0}],"description":"cpu: seconds of work"},
        "load":{"type":"number","exclusiveMinimum":0,"maximum":1,"description":"cpu: of a core"},
        "bytes":{"type":"integer","minimum":1,"description":"memory"},
        "changes":{"type":"array","maxItems":20,"description":"bad_data","items":{"type":"object","required":["op"],"properties":{
        "op":{"enum":["drop","null","set","swap_type","truncate","scale","garbage"]},
        "at":{"type":"string","description":"JSON Pointer; * for every member or element"},
        "value":true,"length":{"type":"integer","minimum":0},"factor":{"type":"number"}}}}
        """##

    private static let faultRequest = Schema(
        stringLiteral: ##"""
            {"type":"object","required":["kind","actor"],"additionalProperties":false,"properties":{\##(faultMembers),
            "duration":{"anyOf":[{"$ref":"#/components/schemas/TimeSpan"},{"type":"number","minimum":0}],"default":"30s"}}}
            """##)

    private static let fault = Schema(
        stringLiteral: ##"""
            {"type":"object","required":["id","kind","actor","probability","intensity","seed","injected_at","until","state"],
            "properties":{\##(faultMembers),
            "injected_at":{"type":"string","format":"date-time"},"until":{"type":"string","format":"date-time"},
            "state":{"enum":["active","expired","reset"]},"milliseconds_left":{"type":"integer"},
            "injected_by":{"type":"string"},"reset_at":{"type":"string","format":"date-time"},"reset_by":{"type":"string"}}}
            """##)

    private static let faultList: Schema = ##"""
        {"type":"object","required":["faults"],"properties":{
        "faults":{"type":"array","items":{"$ref":"#/components/schemas/Fault"}}}}
        """##

    private static let timeSpan: Schema = #"""
        {"type":"string","pattern":"^([0-9]{1,8}(\\.[0-9]{1,3})?|([0-9]{1,8}(\\.[0-9]{1,3})?(ms|s|m|h|d)){1,4})$",
        "description":"250ms, 30s, 5m, 1h30m, 7d; a bare number is seconds"}
        """#

    private static let problem: Schema = #"""
        {"type":"object","required":["type","title","status","code","detail"],"properties":{
        "type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},
        "code":{"type":"string","description":"Stable: programs may rely on it"},"detail":{"type":"string"},
        "pointer":{"type":"string","description":"JSON Pointer to the member that is wrong"},
        "errors":{"type":"array","description":"Where several are wrong","items":{"type":"object","required":["pointer","detail"],
        "properties":{"pointer":{"type":"string"},"detail":{"type":"string"}}}}}}
        """#
}
