"""The scenarios of the official conformance suite, in our own words: what each protocol version asks of a server, tried over the wire."""

import base64
import json
import os
import time
import unittest
from pathlib import Path

from mcp_types.jsonrpc import (
    HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, MISSING_REQUIRED_CLIENT_CAPABILITY, PARSE_ERROR,
    UNSUPPORTED_PROTOCOL_VERSION)
from wire import PREFIX, STATELESS, TASKS, URL, Exchange, Wire

WATCHED = Path(os.environ["MCP_TOOLS"]).parent / "watched.txt"
RESOURCE_NOT_FOUND = -32002
WITH_TASKS = {"extensions": {TASKS: {}}}


class Scenario(unittest.TestCase):
    version = STATELESS
    capabilities: dict = {}

    def setUp(self):
        self.wire = Wire(self.version, self.capabilities)
        self.addCleanup(self.wire.close)
        self.bad = 400 if self.wire.is_stateless else 200

    def text(self, result):
        return [block.get("text") for block in result["content"]]


class Common:
    """What all versions ask for."""

    # Tools

    def test_tools_list(self):
        names, cursor, pages = [], None, 0
        while True:
            page = self.wire.result("tools/list", {"cursor": cursor} if cursor else {})
            names += [tool["name"] for tool in page["tools"]]
            pages += 1
            if (cursor := page.get("nextCursor")) is None:
                break
        self.assertEqual(len(names), len(set(names)))
        self.assertLess(pages, 10)
        self.assertLessEqual({"test_simple_text", "test_error_handling", "greet", "troupe_status"}, set(names))
        for method in ("tools/list", "prompts/list", "resources/list", "resources/templates/list"):
            for cursor in ("rubbish", "WyJub2JvZHkiXQ==", "e30="):
                code = self.wire.error(method, {"cursor": cursor})
                self.assertEqual(code, (self.bad, INVALID_PARAMS), (method, cursor))

    def test_json_schema_2020_12(self):
        tools = {tool["name"]: tool for tool in self.wire.result("tools/list")["tools"]}
        schema = tools["json_schema_2020_12_tool"]["inputSchema"]
        self.assertEqual(schema["$schema"], "https://json-schema.org/draft/2020-12/schema")
        self.assertEqual(schema["$defs"]["address"]["properties"]["city"], {"type": "string"})
        self.assertEqual(schema["properties"]["address"], {"$ref": "#/$defs/address"})
        self.assertIs(schema["additionalProperties"], False)
        wrong = self.wire.call("json_schema_2020_12_tool", {"address": {"city": 1}})
        self.assertTrue(wrong["isError"])
        self.assertIn("/address/city", self.text(wrong)[0])

    def test_tools_call_simple_text(self):
        result = self.wire.call("test_simple_text")
        self.assertEqual(self.text(result), ["This is a simple text response for testing."])
        self.assertNotIn("isError", result)
        self.assertEqual("structuredContent" in result, self.wire.is_stateless, "once only objects could be structured")

    def test_tools_call_image(self):
        (block,) = self.wire.call("test_image_content")["content"]
        self.assertEqual((block["type"], block["mimeType"]), ("image", "image/png"))
        self.assertTrue(base64.b64decode(block["data"]).startswith(b"\x89PNG"))

    def test_tools_call_audio(self):
        (block,) = self.wire.call("test_audio_content")["content"]
        self.assertEqual((block["type"], block["mimeType"]), ("audio", "audio/wav"))
        self.assertTrue(base64.b64decode(block["data"]).startswith(b"RIFF"))

    def test_tools_call_embedded_resource(self):
        (block,) = self.wire.call("test_embedded_resource")["content"]
        self.assertEqual(block["resource"]["uri"], "test://embedded-resource")
        self.assertEqual(block["resource"]["text"], "This is an embedded resource content.")

    def test_tools_call_mixed_content(self):
        result = self.wire.call("test_multiple_content_types")
        has_links = self.version >= "2025-06-18"
        self.assertEqual(
            [block["type"] for block in result["content"]],
            ["text", "image", "resource", "resource_link" if has_links else "text"])
        self.assertEqual(result.get("structuredContent"), {"blocks": 4} if has_links else None)

    def test_tools_call_error(self):
        result = self.wire.call("test_error_handling")
        self.assertIs(result["isError"], True)
        self.assertIn("This tool intentionally returns an error for testing", self.text(result)[0])

    def test_tools_call_with_bad_content(self):
        """What a handler gets wrong is an error that says so, and no block that a client would stumble over."""
        result = self.wire.call("test_broken_content")
        self.assertIs(result["isError"], True)
        self.assertIn("/content/0/data: must be base64", self.text(result)[0])

    def test_tools_call_with_progress(self):
        for token in ("p-1", 7):
            answer = self.wire.ask("tools/call", {"name": "test_tool_with_progress"}, {"progressToken": token})
            told = answer.notifications("notifications/progress")
            values = [params["progress"] for params in told]
            self.assertGreaterEqual(len(values), 3)
            self.assertEqual(values, sorted(set(values)), "progress only grows")
            self.assertEqual({params["progressToken"] for params in told}, {token})
            self.assertEqual((values[-1], told[-1]["total"]), (100, 100))
            self.assertIn("result", answer.last, "nothing comes after the answer")
        silent = self.wire.ask("tools/call", {"name": "test_tool_with_progress"})
        self.assertEqual(silent.notifications("notifications/progress"), [])

    def test_tools_call_unknown(self):
        """Also those of features that this server has not: sampling, elicitation, input_required."""
        for tool in (
                "nothing", "test_sampling", "test_elicitation", "test_elicitation_sep1034_defaults",
                "test_elicitation_sep1330_enums", "test_input_required_result_elicitation"):
            self.assertEqual(self.wire.error("tools/call", {"name": tool}), (self.bad, INVALID_PARAMS))
        self.assertEqual(self.wire.error("tools/call", {}), (self.bad, INVALID_PARAMS))
        self.assertEqual(self.wire.error("tools/call", {"name": "greet", "arguments": []}), (self.bad, INVALID_PARAMS))

    # Resources

    def test_resources_list(self):
        resources = {resource["uri"]: resource for resource in self.wire.result("resources/list")["resources"]}
        self.assertEqual(resources["test://static-text"]["name"], "static-text")
        self.assertEqual(resources["test://static-binary"]["mimeType"], "image/png")
        self.assertNotIn("test://template/{id}/data", resources)
        templates = self.wire.result("resources/templates/list")["resourceTemplates"]
        self.assertIn("test://template/{id}/data", [template["uriTemplate"] for template in templates])

    def test_resources_read(self):
        def read(uri):
            (contents,) = self.wire.result("resources/read", {"uri": uri})["contents"]
            self.assertEqual(contents["uri"], uri)
            return contents

        text = read("test://static-text")
        self.assertEqual(text["text"], "This is the content of the static text resource.")
        self.assertEqual(text["mimeType"], "text/plain")
        self.assertTrue(base64.b64decode(read("test://static-binary")["blob"]).startswith(b"\x89PNG"))
        self.assertEqual(
            json.loads(read("test://template/123/data")["text"]),
            {"id": "123", "templateTest": True, "data": "Data for ID: 123"})
        self.assertEqual(json.loads(read("test://template/a%22%0Ab/data")["text"])["id"], 'a"\nb')

    def test_resource_not_found(self):
        for uri in ("test://nonexistent", "test://template//data", "troupe://envelopes/nobody", "file:///etc/passwd", ""):
            answer = self.wire.ask("resources/read", {"uri": uri})
            code = INVALID_PARAMS if self.wire.is_stateless else RESOURCE_NOT_FOUND
            expected = HEADER_MISMATCH if self.wire.is_stateless and not uri else code
            self.assertEqual(answer.code, (self.bad, expected), uri)
            if expected == code:
                self.assertEqual(answer.last["error"]["data"], {"uri": uri})

    # Prompts

    def test_prompts_list(self):
        prompts = {prompt["name"]: prompt for prompt in self.wire.result("prompts/list")["prompts"]}
        self.assertNotIn("arguments", prompts["test_simple_prompt"])
        arguments = prompts["test_prompt_with_arguments"]["arguments"]
        self.assertEqual([(argument["name"], argument["required"]) for argument in arguments], [("arg1", True), ("arg2", True)])
        self.assertTrue(all(prompt["description"] for prompt in prompts.values()))

    def test_prompts_get(self):
        def contents(name, **arguments):
            messages = self.wire.result("prompts/get", {"name": name, "arguments": arguments})["messages"]
            self.assertEqual({message["role"] for message in messages}, {"user"})
            return [message["content"] for message in messages]

        self.assertEqual(
            contents("test_simple_prompt"), [{"type": "text", "text": "This is a simple prompt for testing."}])
        (filled,) = contents("test_prompt_with_arguments", arg1="hello", arg2="world")
        self.assertEqual(filled["text"], "Prompt with arguments: arg1='hello', arg2='world'")
        resource, text = contents("test_prompt_with_embedded_resource", resourceUri="test://example-resource")
        self.assertEqual(resource["resource"]["uri"], "test://example-resource")
        self.assertEqual(resource["resource"]["text"], "Embedded resource content for testing.")
        self.assertEqual(text["text"], "Please process the embedded resource above.")
        image, text = contents("test_prompt_with_image")
        self.assertTrue(base64.b64decode(image["data"]).startswith(b"\x89PNG"))
        for params in (
                {"name": "nobody"}, {}, {"name": "test_prompt_with_arguments"},
                {"name": "test_prompt_with_arguments", "arguments": {"arg1": "a", "arg2": "sun"}},
                {"name": "test_simple_prompt", "arguments": {"more": "x"}}):
            code = self.wire.error("prompts/get", params)
            self.assertEqual(code, (self.bad, INVALID_PARAMS), params)

    def test_completion_complete(self):
        def values(reference, name, value):
            argument = {"name": name, "value": value}
            return self.wire.result("completion/complete", {"ref": reference, "argument": argument})["completion"]["values"]

        prompt = {"type": "ref/prompt", "name": "test_prompt_with_arguments"}
        self.assertEqual(values(prompt, "arg1", "test"), [])
        self.assertEqual(values(prompt, "arg2", "w"), ["world"])
        envelope = self.wire.call("greet", {"name": "you"})["_meta"]["troupe/envelopeId"]
        template = {"type": "ref/resource", "uri": "troupe://envelopes/{id}"}
        self.assertEqual(values(template, "id", envelope[:12]), [envelope])
        for reference in ({"type": "ref/prompt", "name": "nobody"}, {"type": "ref/resource", "uri": "test://x"}, 5):
            params = {"ref": reference, "argument": {"name": "x", "value": ""}}
            self.assertEqual(self.wire.error("completion/complete", params), (self.bad, INVALID_PARAMS))

    # HTTP

    def test_dns_rebinding_protection(self):
        body = self.wire.body("tools/list", {})
        good = self.wire.headers(body)
        local = f"127.0.0.1:{URL.port}"
        for headers in ({"Host": "evil.example.com"}, {"Origin": "http://evil.example.com"},
                        {"Host": "evil.example.com", "Origin": "http://evil.example.com"}):
            self.assertEqual(self.wire.post(body, {**good, **headers}).status, 403, headers)
        for headers in ({"Host": f"localhost:{URL.port}"}, {"Host": local, "Origin": f"http://{local}"}):
            self.assertEqual(self.wire.post(body, {**good, **headers}).status, 200, headers)

    def test_bad_messages(self):
        good = self.wire.headers(self.wire.body("tools/list", {}))
        for body, code in ((b"{", PARSE_ERROR), (b"", PARSE_ERROR), (b"[]", INVALID_REQUEST), (b"1", INVALID_REQUEST),
                           (b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}', INVALID_REQUEST),
                           (b'{"jsonrpc":"2.0","id":1}', INVALID_REQUEST)):
            self.assertEqual(self.wire.post(body, good).code, (400, code), body)
        body = self.wire.body("tools/list", {})
        self.assertEqual(self.wire.post(body, {**good, "Content-Type": "text/plain"}).status, 415)
        self.assertEqual(self.wire.post(body, {**good, "Accept": "text/html"}).status, 406)
        self.assertEqual(self.wire.post(body, {**good, "Accept": "*/*"}).status, 200)
        lower = {name.lower(): value for name, value in good.items()}
        self.assertEqual(self.wire.post(body, lower).status, 200, "headers' names have no case")


class Sessions(Common):
    """2025-03-26 to 2025-11-25."""

    def test_server_initialize(self):
        self.assertEqual(self.wire.initialized["protocolVersion"], self.version)
        self.assertEqual(self.wire.initialized["serverInfo"]["name"], "troupe-gateway")
        capabilities = self.wire.initialized["capabilities"]
        self.assertEqual(capabilities["resources"], {"subscribe": True, "listChanged": True})
        self.assertEqual(capabilities["prompts"], {"listChanged": True})
        self.assertEqual("tasks" in capabilities, self.version == "2025-11-25")
        self.assertTrue(all("!" <= character <= "~" for character in self.wire.session))
        other = Wire.__new__(Wire)
        other.__dict__.update(self.wire.__dict__, session=None)
        newest = other.ask("initialize", {"protocolVersion": "1999-01-01", "capabilities": {}}).last["result"]
        self.assertEqual(newest["protocolVersion"], "2025-11-25")

    def test_ping(self):
        self.assertEqual(self.wire.result("ping"), {})
        self.assertEqual(self.wire.error("nothing/such"), (200, METHOD_NOT_FOUND))
        for method in ("server/discover", "subscriptions/listen", "tasks/update"):
            self.assertEqual(self.wire.error(method), (200, METHOD_NOT_FOUND), "of a later version")

    def test_logging_set_level(self):
        self.assertEqual(self.wire.result("logging/setLevel", {"level": "info"}), {})
        self.assertEqual(self.wire.error("logging/setLevel", {"level": "loud"}), (200, INVALID_PARAMS))
        answer = self.wire.ask("tools/call", {"name": "test_tool_with_logging"})
        logged = answer.notifications("notifications/message")
        self.assertGreaterEqual(len(logged), 3)
        self.assertEqual({params["level"] for params in logged}, {"info"})
        self.wire.result("logging/setLevel", {"level": "error"})
        answer = self.wire.ask("tools/call", {"name": "test_tool_with_logging"})
        self.assertEqual(answer.notifications("notifications/message"), [])

    def test_session_lifecycle(self):
        other = Wire(self.version)
        body = other.body("ping", {})
        headers = other.headers(body)
        without = {name: value for name, value in headers.items() if name != "Mcp-Session-Id"}
        self.assertEqual(other.post(body, without).status, 400)
        self.assertEqual(other.post(body, {**headers, "Mcp-Session-Id": "nobody"}).status, 404)
        self.assertEqual(other.post(body, {**headers, "MCP-Protocol-Version": "1999-01-01"}).status, 400)
        self.assertEqual(other.post(body, {name: value for name, value in headers.items() if name != "MCP-Protocol-Version"}).status, 200)
        with Exchange("DELETE", headers) as exchange:
            self.assertEqual(exchange.response.status, 204)
        self.assertEqual(other.post(body, headers).status, 404)
        with Exchange("DELETE", headers) as exchange:
            self.assertEqual(exchange.response.status, 404)
        with Exchange("GET", {**headers, "Accept": "text/event-stream"}) as exchange:
            self.assertEqual(exchange.response.status, 404)
        with Exchange("GET", {**self.wire.headers(None), "Accept": "application/json"}) as exchange:
            self.assertEqual(exchange.response.status, 406)

    def test_answers_to_questions_never_asked(self):
        answer = {"jsonrpc": "2.0", "id": 99, "result": {"roots": []}}
        self.assertEqual(self.wire.post(answer, self.wire.headers(None)).status, 202)

    def test_server_sse_multiple_streams(self):
        """Several requests of a session at once: each answer comes on the stream of its own request, and the session's has none."""
        with self.wire.listen() as own:
            self.assertEqual(own.response.status, 200)
            bodies = [
                self.wire.body("tools/call", {"name": "slow_compute", "arguments": {"seconds": 0.2, "label": str(number)}})
                for number in range(3)]
            streams = [Exchange("POST", self.wire.headers(body), json.dumps(body).encode()) for body in bodies]
            for number, (body, stream) in enumerate(zip(bodies, streams)):
                with stream:
                    answers = [message for message in stream.messages() if "id" in message]
                    self.assertEqual([answer["id"] for answer in answers], [body["id"]])
                    self.assertEqual(self.text(answers[0]["result"]), [f"computed {number}"])
            self.wire.result("resources/subscribe", {"uri": "test://watched-resource"})
            self.change_watched()
            self.assertEqual(next(own.messages())["method"], "notifications/resources/updated")

    def test_sse_resumption(self):
        body = self.wire.body(
            "tools/call", {"name": "slow_compute", "arguments": {"seconds": 0.5}}, {"progressToken": "p"})
        with Exchange("POST", self.wire.headers(body), json.dumps(body).encode()) as stream:
            events = stream.events()
            first = next(events)
            if self.version == "2025-11-25":
                self.assertIsNone(first.message, "an id comes first, so that all can be resumed")
            while first.id is None:
                first = next(events)
        for _ in range(2):
            with self.wire.listen(first.id) as resumed:
                last = list(resumed.messages())[-1]
                self.assertEqual(last["id"], body["id"])
                self.assertEqual(self.text(last["result"]), ["computed "])
        other = Wire(self.version)
        self.addCleanup(other.close)
        with other.listen(first.id) as stolen:
            self.assertEqual(stolen.response.status, 400, "another session's stream")

    def test_resources_subscribe(self):
        self.assertEqual(self.wire.result("resources/subscribe", {"uri": "test://watched-resource"}), {})
        with self.wire.listen() as stream:
            self.change_watched()
            told = next(stream.messages())
            self.wire.check(told, "")
            self.assertEqual(told["method"], "notifications/resources/updated")
            self.assertEqual(told["params"]["uri"], "test://watched-resource")
        self.assertEqual(self.wire.result("resources/unsubscribe", {"uri": "test://watched-resource"}), {})
        self.assertEqual(
            self.wire.error("resources/subscribe", {"uri": "test://nothing"}), (200, RESOURCE_NOT_FOUND))

    def change_watched(self):
        WATCHED.write_text(f"Something has happened: {time.time()}\n")


class March2025(Sessions, Scenario):
    version = "2025-03-26"


class June2025(Sessions, Scenario):
    version = "2025-06-18"


class November2025(Sessions, Scenario):
    version = "2025-11-25"

    def test_tasks(self):
        tools = {tool["name"]: tool for tool in self.wire.result("tools/list")["tools"]}
        self.assertEqual(
            [tools[name]["execution"]["taskSupport"] for name in ("greet", "slow_compute", "failing_job")],
            ["forbidden", "optional", "required"])
        with self.wire.listen() as stream:
            next(stream.events())  # it is open
            created = self.wire.call("slow_compute", {"seconds": 0.5, "label": "x"}, task={"ttl": 60_000})
            id = created["task"]["taskId"]
            self.assertEqual(created["task"]["status"], "working")
            self.assertEqual(self.wire.result("tasks/get", {"taskId": id})["taskId"], id)
            result = self.wire.result("tasks/result", {"taskId": id})
            self.assertEqual(self.text(result), ["computed x"])
            self.assertEqual(result["_meta"][f"{PREFIX}related-task"], {"taskId": id})
            self.assertEqual(self.wire.result("tasks/get", {"taskId": id})["status"], "completed")
            for told in stream.messages():
                self.wire.check(told, "")
                self.assertEqual((told["method"], told["params"]["taskId"]), ("notifications/tasks/status", id))
                if told["params"]["status"] == "completed":
                    break
        self.assertEqual([task["taskId"] for task in self.wire.result("tasks/list")["tasks"]], [id])
        self.assertEqual(self.wire.error("tasks/cancel", {"taskId": id}), (200, INVALID_PARAMS), "it has ended")
        self.assertEqual(self.wire.error("tasks/get", {"taskId": "nobody"}), (200, INVALID_PARAMS))

        long = self.wire.call("slow_compute", {"seconds": 5}, task={})["task"]["taskId"]
        self.assertEqual(self.wire.result("tasks/cancel", {"taskId": long})["status"], "cancelled")
        failed = self.wire.call("failing_job", task={})["task"]["taskId"]
        self.assertTrue(self.wire.result("tasks/result", {"taskId": failed})["isError"])
        self.assertEqual(self.wire.result("tasks/get", {"taskId": failed})["status"], "failed")
        for tool, task in (("failing_job", {}), ("greet", {"task": {}})):
            params = {"name": tool, "arguments": {"name": "x"}, **task}
            self.assertEqual(self.wire.error("tools/call", params), (200, METHOD_NOT_FOUND), tool)


class July2026(Common, Scenario):
    def test_server_discover(self):
        found = self.wire.ask("server/discover")
        self.assertIsNone(found.headers["Mcp-Session-Id"])
        result = found.last["result"]
        self.assertEqual(result["supportedVersions"], [STATELESS])
        self.assertEqual(result["capabilities"]["extensions"], {TASKS: {}})
        self.assertNotIn("tasks", result["capabilities"])

    def test_caching(self):
        requests = [(method, {}) for method in (
            "server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list")]
        for method, params in [*requests, ("resources/read", {"uri": "test://static-text"})]:
            result = self.wire.result(method, params)
            self.assertIs(type(result["ttlMs"]), int, method)
            self.assertGreaterEqual(result["ttlMs"], 0)
            self.assertIn(result["cacheScope"], ("public", "private"))

    def test_lists_are_steady(self):
        for method in ("tools/list", "prompts/list", "resources/templates/list"):
            self.assertEqual(self.wire.result(method), self.wire.result(method))

    # The stateless server, row by row

    def test_header_mismatch(self):
        tool = {"name": "greet", "arguments": {"name": "x"}}
        for method, params, headers in (
                ("tools/list", {}, {"MCP-Protocol-Version": None}),
                ("tools/list", {}, {"MCP-Protocol-Version": "2025-11-25"}),
                ("tools/list", {}, {"MCP-Protocol-Version": [STATELESS, STATELESS]}),
                ("tools/list", {}, {"Mcp-Method": None}),
                ("tools/list", {}, {"Mcp-Method": "tools/call"}),
                ("tools/list", {}, {"Mcp-Method": "TOOLS/LIST"}),
                ("tools/list", {}, {"Mcp-Method": ["tools/list", "tools/list"]}),
                ("tools/call", tool, {"Mcp-Name": None}),
                ("tools/call", tool, {"Mcp-Name": "other"}),
                ("tools/call", tool, {"Mcp-Name": ["greet", "greet"]}),
                ("tools/call", tool, {"Mcp-Name": "=?base64?!!?="}),
                ("prompts/get", {"name": "test_simple_prompt"}, {"Mcp-Name": "other"}),
                ("resources/read", {"uri": "test://static-text"}, {"Mcp-Name": None}),
                ("tasks/get", {"taskId": "a"}, {"Mcp-Name": "b"})):
            code = self.wire.error(method, params, headers=headers)
            self.assertEqual(code, (400, HEADER_MISMATCH), (method, headers))

    def test_headers_that_are_fine(self):
        params = {"uri": "test://static-text"}
        encoded = base64.b64encode(params["uri"].encode()).decode()
        for headers in ({"Mcp-Name": f"=?base64?{encoded}?="}, {"Mcp-Name": f"  {params['uri']} "},
                        {"Mcp-Session-Id": "ignored"}, {"Last-Event-ID": "1-1"}):
            self.assertEqual(self.wire.ask("resources/read", params, headers=headers).status, 200, headers)

    def test_mirrored_arguments(self):
        params = {"name": "test_mirrored_argument", "arguments": {"region": "eu"}}
        self.assertEqual(self.wire.ask("tools/call", params, headers={"Mcp-Param-Region": "eu"}).status, 200)
        for headers in ({}, {"Mcp-Param-Region": "us"}, {"Mcp-Param-Region": ["eu", "eu"]}):
            self.assertEqual(self.wire.error("tools/call", params, headers=headers), (400, HEADER_MISMATCH))
        del params["arguments"]
        self.assertEqual(self.wire.ask("tools/call", params).status, 200)
        self.assertEqual(
            self.wire.error("tools/call", params, headers={"Mcp-Param-Region": "eu"}), (400, HEADER_MISMATCH))

    def test_meta_is_missing(self):
        body = self.wire.body("tools/list", {})
        for name in ("protocolVersion", "clientCapabilities"):
            params = {"_meta": {key: value for key, value in body["params"]["_meta"].items() if key != PREFIX + name}}
            answer = self.wire.post({**body, "params": params}, self.wire.headers(body))
            self.assertEqual(answer.code, (400, INVALID_PARAMS), name)
            self.assertEqual(answer.last["id"], body["id"])
        self.assertEqual(self.wire.post({**body, "params": {}}, self.wire.headers(body)).code, (400, INVALID_PARAMS))

    def test_version_is_not_served(self):
        body = self.wire.body("tools/list", {}, {f"{PREFIX}protocolVersion": "2031-01-01"})
        answer = self.wire.post(body, {**self.wire.headers(body), "MCP-Protocol-Version": "2031-01-01"})
        self.assertEqual(answer.code, (400, UNSUPPORTED_PROTOCOL_VERSION))
        self.assertEqual(answer.last["error"]["data"], {"supported": [STATELESS], "requested": "2031-01-01"})

    def test_removed_methods(self):
        for method in ("ping", "initialize", "logging/setLevel", "resources/subscribe", "resources/unsubscribe",
                       "tasks/list", "tasks/result", "nothing/such"):
            self.assertEqual(self.wire.error(method), (404, METHOD_NOT_FOUND), method)

    def test_post_only(self):
        for method in ("GET", "DELETE"):
            with Exchange(method, {**self.wire.headers(None), "Accept": "text/event-stream"}) as exchange:
                self.assertEqual(exchange.response.status, 405)
                self.assertIn("POST", exchange.response.headers["Allow"])

    def test_notifications_and_responses(self):
        self.assertEqual(self.wire.notify("notifications/cancelled", {"requestId": 1}).status, 202)
        answer = {"jsonrpc": "2.0", "id": 1, "result": {}}
        headers = self.wire.headers({"method": "x"})
        self.assertEqual(self.wire.post(answer, headers).code, (400, INVALID_REQUEST))

    def test_log_level_of_a_request(self):
        def levels(meta):
            answer = self.wire.ask("tools/call", {"name": "test_tool_with_logging"}, meta)
            return {params["level"] for params in answer.notifications("notifications/message")}

        self.assertEqual(levels({}), set(), "who doesn't ask hears nothing")
        self.assertEqual(levels({f"{PREFIX}logLevel": "info"}), {"info"})
        self.assertEqual(levels({f"{PREFIX}logLevel": "error"}), set())
        code = self.wire.error("tools/call", {"name": "greet"}, {f"{PREFIX}logLevel": "loud"})
        self.assertEqual(code, (400, INVALID_PARAMS))

    def test_input_that_nobody_asked_for(self):
        """No call here asks for input, so answers to such questions are ignored, as unknown ones are."""
        result = self.wire.call("greet", {"name": "x"}, inputResponses={"a": {"action": "accept"}}, requestState="forged")
        self.assertEqual(self.text(result), ["Hello, x!"])

    def test_listen(self):
        filter = {
            "toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True,
            "resourceSubscriptions": ["test://watched-resource", "test://nothing"]}
        body = self.wire.body("subscriptions/listen", {"notifications": filter})
        with Exchange("POST", self.wire.headers(body), json.dumps(body).encode()) as stream:
            messages = stream.messages()
            first = next(messages)
            self.assertEqual(first["method"], "notifications/subscriptions/acknowledged")
            filter["resourceSubscriptions"].pop()
            self.assertEqual(first["params"]["notifications"], filter)
            WATCHED.write_text(f"Something has happened: {time.time()}\n")
            second = next(messages)
            self.assertEqual(second["params"]["uri"], "test://watched-resource")
            for message in (first, second):
                self.wire.check(message, "subscriptions/listen")
                self.assertEqual(message["params"]["_meta"][f"{PREFIX}subscriptionId"], body["id"])

    # Tasks are an extension

    def test_tasks_without_the_capability(self):
        listen = ("subscriptions/listen", {"notifications": {"taskIds": ["a"]}})
        tasks = [(f"tasks/{name}", {"taskId": "a"}) for name in ("get", "cancel", "update")]
        for method, params in [listen, *tasks, ("tools/call", {"name": "failing_job"})]:
            answer = self.wire.ask(method, params)
            self.assertEqual(answer.code, (400, MISSING_REQUIRED_CLIENT_CAPABILITY), method)
            self.assertEqual(answer.last["error"]["data"], {"requiredCapabilities": WITH_TASKS})
        self.assertEqual(self.text(self.wire.call("slow_compute", {"seconds": 1.2})), ["computed "], "never a task")


class Tasks2026(Scenario):
    capabilities = WITH_TASKS

    def ended(self, id):
        for _ in range(200):
            task = self.wire.result("tasks/get", {"taskId": id})
            self.assertEqual(task["taskId"], id)
            if task["status"] != "working":
                return task
            self.assertNotIn("result", task)
            time.sleep(0.05)
        self.fail(f"the task goes on: {task}")

    def test_lifecycle(self):
        for params in ({}, {"task": {"ttl": 60_000}}):
            result = self.wire.call("greet", {"name": "you"}, **params)
            self.assertEqual(self.text(result), ["Hello, you!"], "a hint of 2025 is ignored")
        short = self.wire.call("slow_compute", {"seconds": 0})
        self.assertEqual(short["resultType"], "complete", "what is done soon is no task")
        created = self.wire.call("slow_compute", {"seconds": 1.5, "label": "x"})
        self.assertEqual((created["resultType"], created["status"]), ("task", "working"))
        self.assertEqual({"task", "result", "error"} & set(created), set())
        self.assertEqual(self.wire.result("tasks/get", {"taskId": created["taskId"]})["status"], "working")
        ended = self.ended(created["taskId"])
        self.assertEqual(ended["status"], "completed")
        self.assertEqual(self.text(ended["result"]), ["computed x"])

    def test_failures_are_results(self):
        created = self.wire.call("failing_job")
        self.assertEqual(created["resultType"], "task", "at once")
        ended = self.ended(created["taskId"])
        self.assertEqual((ended["status"], ended["result"]["isError"]), ("completed", True))

    def test_cancel_and_update(self):
        id = self.wire.call("slow_compute", {"seconds": 5})["taskId"]
        ack = self.wire.result("tasks/update", {"taskId": id, "inputResponses": {"unknown": {}}})
        self.assertEqual(set(ack), {"resultType", "_meta"})
        ack = self.wire.result("tasks/cancel", {"taskId": id})
        self.assertEqual(set(ack), {"resultType", "_meta"})
        self.assertEqual(self.ended(id)["status"], "cancelled")
        for method in ("tasks/get", "tasks/cancel", "tasks/update"):
            self.assertEqual(self.wire.error(method, {"taskId": "nobody"}), (400, INVALID_PARAMS), method)
        for method in ("tasks/result", "tasks/list"):
            self.assertEqual(self.wire.error(method, {"taskId": id}), (404, METHOD_NOT_FOUND), method)

    def test_request_headers(self):
        id = self.wire.call("slow_compute", {"seconds": 5})["taskId"]
        self.assertEqual(self.wire.ask("tasks/get", {"taskId": id}, headers={"Mcp-Name": None}).status, 200)
        self.assertEqual(
            self.wire.error("tasks/get", {"taskId": id}, headers={"Mcp-Name": "other"}), (400, HEADER_MISMATCH))
        self.wire.result("tasks/cancel", {"taskId": id})

    def test_status_notifications(self):
        id = self.wire.call("slow_compute", {"seconds": 1.5})["taskId"]
        body = self.wire.body("subscriptions/listen", {"notifications": {"taskIds": [id]}})
        with Exchange("POST", self.wire.headers(body), json.dumps(body).encode()) as stream:
            messages = stream.messages()
            self.assertEqual(next(messages)["params"]["notifications"], {"taskIds": [id]})
            for told in messages:
                self.wire.check(told, "")
                self.assertEqual((told["method"], told["params"]["taskId"]), ("notifications/tasks", id))
                if told["params"]["status"] == "completed":
                    self.assertEqual(self.text(told["params"]["result"]), ["computed "])
                    break


if __name__ == "__main__":
    unittest.main()
