"""The handlers that the conformance table calls. A runtime for another language brings a twin of each.

Payload mode: gets the payload, returns payloads.

| handler       | payload              | does                                                                         |
| ------------- | -------------------- | ---------------------------------------------------------------------------- |
| echo          | anything but an array | returns the payload as it came                                               |
| fan_out       | {"items": [...]}     | returns each item as a result of its own                                     |
| abort         | anything             | returns no result (None)                                                     |
| fail          | {"message": text}    | fails with an error of the type ValueError and that message                  |
| grow          | {"bytes": n}         | returns {"text": n times "x"}                                                |
| printing      | {"lines": n}         | prints n lines to stdout and n to stderr, returns the payload                |
| sleep         | {"milliseconds": n}  | waits so long, returns the payload                                           |
| wait          | {"milliseconds": n}  | says "began" on stderr and waits so long, or until nobody waits for it any   |
|               |                      | more; says "ended" or "cancelled" then, returns the payload                  |
| emit          | {"tokens": n, "tasks": t} | emits the log line "began" (warning), n tokens {"task", "n"} from each of t   |
|               |                      | tasks or threads, and progress (50, "half"); returns the payload             |
| describe      | anything             | returns {"id", "parent_id", "route", "headers", "attempt"}, as its context has them |

Envelope mode: gets the envelope, returns envelopes.

| handler       | payload              | does                                                                         |
| ------------- | -------------------- | ---------------------------------------------------------------------------- |
| answer        | null, {}, [{}, ...]  | returns the payload: no envelope, this one, or each of these                 |
| advance       | anything             | route.current + 1                                                            |
| add_steps     | {"steps": [...]}     | puts the steps right behind the current actor, route.current + 1             |
| replace_steps | {"steps": [...]}     | puts the steps in place of all after the current actor, route.current + 1    |
| erase_done    | anything             | removes the first actor of the route, in place: must be refused              |
| add_header    | {"name", "value"}    | sets this header (there may be none so far), route.current + 1               |
"""

import sys
import threading
import time


def echo(payload):
    return payload


def fan_out(payload):
    return payload["items"]


def abort(payload):
    return None


def fail(payload):
    raise ValueError(payload["message"])


def grow(payload):
    return {"text": "x" * payload["bytes"]}


def printing(payload):
    for number in range(payload["lines"]):
        print("line", number, "on stdout")
        print("line", number, "on stderr", file=sys.stderr)
    return payload


def sleep(payload):
    time.sleep(payload["milliseconds"] / 1000)
    return payload


def wait(payload, context):
    say("began")
    end = time.monotonic() + payload["milliseconds"] / 1000
    while time.monotonic() < end and not context.cancelled:
        time.sleep(0.005)
    say("cancelled" if context.cancelled else "ended")
    return payload


def say(word):
    print(word, file=sys.stderr, flush=True)


def emit(payload, context):
    context.log("began", "warning")

    def tokens(task):
        for number in range(payload["tokens"]):
            context.emit("token", {"task": task, "n": number})

    threads = [threading.Thread(target=tokens, args=(task,)) for task in range(payload["tasks"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    context.progress(50, "half")
    return payload


def describe(payload, context):
    return {
        "id": context.id,
        "parent_id": context.parent_id,
        "route": context.route,
        "headers": context.headers,
        "attempt": context.attempt,
    }


def answer(envelope):
    return envelope["payload"]


def advance(envelope):
    envelope["route"]["current"] += 1
    return envelope


def add_steps(envelope):
    route = envelope["route"]
    behind = route["current"] + 1
    route["actors"][behind:behind] = envelope["payload"]["steps"]
    return advance(envelope)


def replace_steps(envelope):
    route = envelope["route"]
    route["actors"][route["current"] + 1 :] = envelope["payload"]["steps"]
    return advance(envelope)


def erase_done(envelope):
    del envelope["route"]["actors"][0]
    return envelope


def add_header(envelope):
    headers = envelope.setdefault("headers", {})
    headers[envelope["payload"]["name"]] = envelope["payload"]["value"]
    return advance(envelope)
