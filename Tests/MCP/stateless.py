"""The client library's 2.x line, protocol version 2026-07-28: no sessions; and how it meets us in the way of 2025."""

import asyncio
import os
import unittest
from pathlib import Path
from typing import Any, Literal

import mcp_types as types
from mcp import Client
from mcp.client.extension import ClientExtension, ResultClaim
from mcp.client.subscriptions import ResourceUpdated, ToolsListChanged
from mcp.shared.exceptions import MCPError

URL, TOOLS = os.environ["MCP_URL"], Path(os.environ["MCP_TOOLS"])


class Task(types.Result):
    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    ttl_ms: int | None
    poll_interval_ms: int | None = None


class AnyResult(types.Result):
    model_config = {"extra": "allow"}


class TaskRequest(types.Request[dict[str, Any], str]):
    method: str
    params: dict[str, Any]


async def ask(session, method, id):
    answer = await session.send_request(TaskRequest(method=method, params={"taskId": id}), AnyResult)
    return answer.model_dump(by_alias=True)


class Tasks(ClientExtension):
    """The tasks extension, which the library leaves to others."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self):
        self.seen = []

    def claims(self):
        return [ResultClaim(result_type="task", model=Task, resolve=self.resolve)]

    async def resolve(self, task, context):
        self.seen.append(task.task_id)
        while True:
            state = await ask(context.session, "tasks/get", task.task_id)
            if state["status"] != "working":
                return types.CallToolResult.model_validate(state["result"])
            await asyncio.sleep(0.2)


class Stateless(unittest.IsolatedAsyncioTestCase):
    async def test_hello(self):
        async with Client(URL) as client:
            self.assertEqual(client.protocol_version, "2026-07-28")
            self.assertEqual(client.server_info.name, "troupe-gateway")
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            self.assertEqual(tools["add"].title, "Addition")

    async def test_call(self):
        heard = []

        async def progress(now, total, message):
            heard.append(now)

        async with Client(URL) as client:
            result = await client.call_tool("add", {"numbers": [1, 2.5], "seconds": 0.3}, progress_callback=progress)
            self.assertEqual(result.structured_content, {"sum": 3.5})
            self.assertEqual(heard, sorted(set(heard)))
            self.assertEqual(heard[-1], 100)
            failed = await client.call_tool("fail", {"reason": "on purpose"})
            self.assertTrue(failed.is_error)
            self.assertIn("on purpose", failed.content[0].text)
            with self.assertRaises(MCPError) as unknown:
                await client.call_tool("nothing", {})
            self.assertEqual(unknown.exception.code, types.INVALID_PARAMS)

    async def test_log(self):
        logged = []

        async def log(params):
            logged.append(params.level)

        async with Client(URL, logging_callback=log, log_level="error") as client:
            await client.call_tool("fail", {"reason": "on purpose"})
            self.assertEqual(logged, ["error"])

    async def test_hanging_up_cancels(self):
        async with Client(URL) as client:
            call = asyncio.create_task(client.call_tool("add", {"numbers": [1], "seconds": 3}))
            await asyncio.sleep(0.5)
            running = await client.call_tool("troupe_list", {"limit": 1})
            id = running.structured_content["envelopes"][0]["id"]
            call.cancel()
            for _ in range(100):
                state = await client.call_tool("troupe_status", {"id": id})
                if state.structured_content["envelope"]["status"] == "cancelled":
                    break
                await asyncio.sleep(0.05)
            else:
                self.fail(state.structured_content)

    async def test_tasks(self):
        tasks = Tasks()
        async with Client(URL, extensions=[tasks]) as client:
            short = await client.call_tool("add", {"numbers": [1]})
            self.assertEqual((short.structured_content, tasks.seen), ({"sum": 1}, []))
            long = await client.call_tool("add", {"numbers": [20, 22], "seconds": 2})
            self.assertEqual(long.structured_content, {"sum": 42})
            self.assertEqual(len(tasks.seen), 1)
            task = await client.session.call_tool("add", {"numbers": [1], "seconds": 4}, allow_claimed=True)
            self.assertEqual(task.status, "working")
            await ask(client.session, "tasks/cancel", task.task_id)
            self.assertEqual((await ask(client.session, "tasks/get", task.task_id))["status"], "cancelled")
            with self.assertRaises(MCPError) as unknown:
                await ask(client.session, "tasks/get", "nobody")
            self.assertEqual(unknown.exception.code, types.INVALID_PARAMS)

    async def test_listen(self):
        before = TOOLS.read_text()
        self.addCleanup(TOOLS.write_text, before)
        async with Client(URL) as client:
            submitted = await client.call_tool("troupe_submit", {"route": ["slow"], "payload": {"seconds": 1.5}})
            uri = submitted.structured_content["resource"]
            async with client.listen(tools_list_changed=True, resource_subscriptions=[uri]) as events:
                self.assertTrue(events.honored.tools_list_changed)
                self.assertEqual(events.honored.resource_subscriptions, [uri])
                async with asyncio.timeout(10):
                    self.assertEqual(await anext(events), ResourceUpdated(uri=uri))
                    TOOLS.write_text(before + "  - {name: new, route: [slow]}\n")
                    while not isinstance(await anext(events), ToolsListChanged):
                        pass
                self.assertIn("new", [tool.name for tool in (await client.list_tools()).tools])

    async def test_resources(self):
        async with Client(URL) as client:
            result = await client.call_tool("add", {"numbers": [1]})
            uri = f"troupe://envelopes/{result.meta['troupe/envelopeId']}"
            contents = (await client.read_resource(uri)).contents[0]
            self.assertIn('"status":"succeeded"', contents.text)
            self.assertIn(uri, [resource.uri for resource in (await client.list_resources()).resources])
            templates = (await client.list_resource_templates()).resource_templates
            self.assertIn("troupe://envelopes/{id}/history", [template.uri_template for template in templates])
            prompt = await client.get_prompt("troupe_diagnose", {"id": uri.rsplit("/", 1)[1]})
            self.assertEqual(len(prompt.messages), 3)
            reference = types.ResourceTemplateReference(type="ref/resource", uri="troupe://envelopes/{id}")
            completed = await client.complete(reference, {"name": "id", "value": uri.rsplit("/", 1)[1][:8]})
            self.assertTrue(completed.completion.values)
            with self.assertRaises(MCPError) as unknown:
                await client.read_resource("troupe://envelopes/nobody")
            self.assertEqual(unknown.exception.code, types.INVALID_PARAMS)

    async def test_what_the_files_offer(self):
        async with Client(URL) as client:
            image = (await client.call_tool("test_image_content", {})).content[0]
            self.assertIsInstance(image, types.ImageContent)
            prompt = await client.get_prompt("test_prompt_with_image")
            self.assertEqual(prompt.messages[0].content.data, image.data)
            blob = (await client.read_resource("test://static-binary")).contents[0]
            self.assertEqual(blob.blob, image.data)

    async def test_the_way_of_2025(self):
        async with Client(URL, mode="legacy") as client:
            self.assertEqual(client.protocol_version, "2025-11-25")
            result = await client.call_tool("add", {"numbers": [1, 2]})
            self.assertEqual(result.structured_content, {"sum": 3})

    async def test_many_at_once(self):
        async with Client(URL) as client:
            results = await asyncio.gather(*(client.call_tool("add", {"numbers": [n, 1]}) for n in range(40)))
            self.assertEqual([result.structured_content["sum"] for result in results], list(range(1, 41)))


if __name__ == "__main__":
    unittest.main()
