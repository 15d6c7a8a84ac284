"""MCP over HTTP by hand, so that nothing hides what goes over the wire. Every message that comes is checked against the official library's
types for the protocol version that is spoken."""

import http.client
import itertools
import json
import os
import urllib.parse
from typing import Any, Iterator, NamedTuple, Optional

from mcp_types import methods

URL = urllib.parse.urlsplit(os.environ["MCP_URL"])
TASKS = "io.modelcontextprotocol/tasks"
PREFIX = "io.modelcontextprotocol/"
STATELESS = "2026-07-28"
LIMIT = 30

TASK_STATUSES = {"working", "input_required", "completed", "failed", "cancelled"}


class Event(NamedTuple):
    id: Optional[str]
    message: Any


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    events: list[Event]

    @property
    def messages(self) -> list[Any]:
        return [event.message for event in self.events if event.message is not None]

    @property
    def last(self) -> Any:
        return self.messages[-1]

    @property
    def code(self) -> tuple[int, Optional[int]]:
        """HTTP status and, where it is an error, JSON-RPC's code."""
        return self.status, self.last.get("error", {}).get("code") if self.messages else None

    def notifications(self, method: str) -> list[Any]:
        return [message["params"] for message in self.messages if message.get("method") == method]


class Wire:
    def __init__(self, version: str, capabilities: Optional[dict] = None):
        self.version = version
        self.capabilities = capabilities or {}
        self.session: Optional[str] = None
        self.numbers = itertools.count(1)
        self.is_stateless = version == STATELESS
        self.initialized: Any = None
        if not self.is_stateless:
            answer = self.ask("initialize", {
                "protocolVersion": version, "capabilities": self.capabilities,
                "clientInfo": {"name": "conformance", "version": "1"}})
            self.initialized = answer.last["result"]
            self.session = answer.headers["Mcp-Session-Id"]
            assert self.notify("notifications/initialized").status == 202

    # What is sent

    def body(self, method: str, params: dict, meta: Optional[dict] = None) -> dict:
        meta = dict(meta or {})
        if self.is_stateless:
            meta = {
                f"{PREFIX}protocolVersion": self.version, f"{PREFIX}clientCapabilities": self.capabilities,
                f"{PREFIX}clientInfo": {"name": "conformance", "version": "1"}, **meta}
        return {
            "jsonrpc": "2.0", "id": next(self.numbers), "method": method,
            "params": {**params, **({"_meta": meta} if meta else {})}}

    def headers(self, body: Any) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if self.session:
            headers["Mcp-Session-Id"] = self.session
        if self.session or self.is_stateless:
            headers["MCP-Protocol-Version"] = self.version
        if self.is_stateless and isinstance(body, dict):
            headers["Mcp-Method"] = body["method"]
            params = body.get("params", {})
            name = params.get("name") or params.get("uri") or params.get("taskId")
            if name and not body["method"].startswith("notifications/"):
                headers["Mcp-Name"] = name
        return headers

    # Requests

    def ask(self, method: str, params: dict = {}, meta: Optional[dict] = None, headers: dict = {}) -> Answer:
        """`headers` go before those that belong to the request; `None` leaves one out."""
        body = self.body(method, params, meta)
        answer = self.post(body, {**self.headers(body), **headers})
        for message in answer.messages:
            self.check(message, method)
            if "method" not in message:
                assert message["id"] == body["id"], "the answer names its request"
        return answer

    def result(self, method: str, params: dict = {}, meta: Optional[dict] = None) -> Any:
        answer = self.ask(method, params, meta)
        assert answer.status == 200 and "result" in answer.last, answer
        return answer.last["result"]

    def error(self, method: str, params: dict = {}, meta: Optional[dict] = None, headers: dict = {}) -> tuple:
        answer = self.ask(method, params, meta, headers)
        assert "error" in answer.last, answer
        return answer.code

    def call(self, tool: str, arguments: Optional[dict] = None, meta: Optional[dict] = None, **params) -> Any:
        return self.result("tools/call", {"name": tool, "arguments": arguments or {}, **params}, meta)

    def notify(self, method: str, params: dict = {}) -> Answer:
        body = self.body(method, params)
        del body["id"]
        return self.post(body, self.headers(body))

    def post(self, body: Any, headers: dict) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with Exchange("POST", headers, data) as exchange:
            return Answer(exchange.response.status, exchange.response.headers, list(exchange.events()))

    def listen(self, last_event_id: Optional[str] = None) -> "Exchange":
        headers = {**self.headers(None), "Accept": "text/event-stream"}
        return Exchange("GET", {**headers, **({"Last-Event-ID": last_event_id} if last_event_id else {})})

    def close(self) -> None:
        if self.session:
            with Exchange("DELETE", self.headers(None)) as exchange:
                exchange.response.read()

    # What comes back

    def check(self, message: dict, method: str) -> None:
        assert message["jsonrpc"] == "2.0", message
        if "method" in message:
            assert "id" not in message, "this server asks its clients nothing"
            if message["method"].startswith("notifications/tasks"):
                self.check_task(message["params"])
            else:
                methods.parse_server_notification(message["method"], self.version, message.get("params"))
        elif "error" in message:
            assert isinstance(message["error"]["code"], int) and message["error"]["message"], message
        else:
            self.check_result(message["result"], method)

    def check_result(self, result: dict, method: str) -> None:
        if self.is_stateless:
            assert result["resultType"] == ("task" if "taskId" in result and method == "tools/call" else "complete")
            assert result["_meta"][f"{PREFIX}serverInfo"]["name"] == "troupe-gateway"
        if "task" in result:
            self.check_task(result["task"])
        elif "taskId" in result:
            self.check_task(result)
        elif "tasks" in result:
            for task in result["tasks"]:
                self.check_task(task)
        elif method == "tasks/result":
            methods.validate_server_result("tools/call", self.version, result)
        elif (method, self.version) in methods.SERVER_RESULTS:
            methods.validate_server_result(method, self.version, result)

    def check_task(self, task: dict) -> None:
        """The library leaves tasks to others."""
        assert task["status"] in TASK_STATUSES and task["taskId"], task
        for name in ("createdAt", "lastUpdatedAt"):
            assert "T" in task[name] and task[name].endswith("Z"), task
        now, before = ("Ms", "") if self.is_stateless else ("", "Ms")
        for name in ("ttl", "pollInterval"):
            assert f"{name}{now}" in task and f"{name}{before}" not in task, task
            assert task[f"{name}{now}"] is None or type(task[f"{name}{now}"]) is int, task
        assert "error" not in task and "inputRequests" not in task, task
        if "result" in task:
            assert self.is_stateless and task["status"] == "completed", task
            methods.validate_server_result("tools/call", self.version, task["result"])
            assert f"{PREFIX}related-task" not in task["result"].get("_meta", {}), task


class Exchange:
    """One request, and its answer while it comes."""

    def __init__(self, method: str, headers: dict, data: Optional[bytes] = None):
        self.connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=LIMIT)
        self.connection.putrequest(method, URL.path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            for one in [value] if isinstance(value, str) else value or []:
                self.connection.putheader(name, one)
        if data is not None:
            self.connection.putheader("Content-Length", str(len(data)))
        self.connection.endheaders(data)
        self.response = self.connection.getresponse()

    def __enter__(self) -> "Exchange":
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self.connection.close()

    def events(self) -> Iterator[Event]:
        """Of a stream; or the one message of a body, if it has any."""
        if not self.response.headers.get("Content-Type", "").startswith("text/event-stream"):
            text = self.response.read()
            if text:
                yield Event(None, json.loads(text))
            return
        id, data = None, []
        for line in self.response:
            line = line.decode().rstrip("\n")
            if not line:
                if id is not None or data:
                    yield Event(id, json.loads("\n".join(data)) if any(data) else None)
                id, data = None, []
            elif line.startswith("id: "):
                id = line[4:]
            elif line.startswith("data: "):
                data.append(line[6:])

    def messages(self) -> Iterator[Any]:
        return (event.message for event in self.events() if event.message is not None)
