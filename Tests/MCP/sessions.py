"""The client library's 1.x line, up to protocol version 2025-11-25: sessions, streams that are resumed, tasks."""

import asyncio
import contextlib
import os
import unittest
from pathlib import Path

import httpx
import mcp.types as types
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import McpError
from mcp.shared.message import ClientMessageMetadata
from pydantic import AnyUrl

URL, TOOLS = os.environ["MCP_URL"], Path(os.environ["MCP_TOOLS"])


class Sessions(unittest.IsolatedAsyncioTestCase):
    @contextlib.asynccontextmanager
    async def session(self):
        """With what it has been told aside from answers, in `self.told`."""
        self.told = asyncio.Queue()
        self.logged = []

        async def log(params):
            self.logged.append(params)

        async def note(message):
            if isinstance(message, types.ServerNotification):
                await self.told.put(message.root)

        async with streamable_http_client(URL) as (reading, writing, _):
            async with ClientSession(reading, writing, logging_callback=log, message_handler=note) as session:
                self.initialized = await session.initialize()
                yield session

    async def next_told(self, kind):
        async with asyncio.timeout(10):
            while not isinstance(found := await self.told.get(), kind):
                pass
        return found

    async def test_hello(self):
        async with self.session() as session:
            self.assertEqual(self.initialized.protocolVersion, "2025-11-25")
            self.assertEqual(self.initialized.serverInfo.name, "troupe-gateway")
            await session.send_ping()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            self.assertEqual(tools["add"].title, "Addition")
            self.assertEqual(tools["add"].outputSchema["required"], ["sum"])
            self.assertEqual(tools["add"].execution.taskSupport, "optional")
            self.assertIn("troupe_status", tools)

    async def test_call(self):
        async with self.session() as session:
            result = await session.call_tool("add", {"numbers": [1, 2.5]})
            self.assertFalse(result.isError)
            self.assertEqual(result.structuredContent, {"sum": 3.5})
            self.assertIn('"sum"', result.content[0].text)

    async def test_progress_and_log(self):
        heard = []

        async def progress(now, total, message):
            heard.append((now, total, message))

        async with self.session() as session:
            await session.call_tool("add", {"numbers": [1], "seconds": 0.5}, progress_callback=progress)
            values = [now for now, _, _ in heard]
            self.assertEqual(values, sorted(set(values)), "progress only grows")
            self.assertEqual(values[-1], 100)
            self.assertGreater(len(values), 3)
            self.assertTrue(any("slow" in message for _, _, message in heard), heard)
            self.assertTrue(any(params.level == "info" for params in self.logged))
            self.logged.clear()
            await session.set_logging_level("error")
            await session.call_tool("fail", {"reason": "on purpose"})
            self.assertEqual({params.level for params in self.logged}, {"error"})

    async def test_errors(self):
        async with self.session() as session:
            failed = await session.call_tool("fail", {"reason": "on purpose"})
            self.assertTrue(failed.isError)
            self.assertIn("on purpose", failed.content[0].text)
            wrong = await session.call_tool("wrong", {})
            self.assertTrue(wrong.isError)
            self.assertIn("outputSchema", wrong.content[0].text)
            bad = await session.call_tool("add", {"numbers": ["one"]})
            self.assertTrue(bad.isError)
            self.assertIn("/numbers/0", bad.content[0].text)
            with self.assertRaises(McpError) as unknown:
                await session.call_tool("nothing", {})
            self.assertEqual(unknown.exception.error.code, types.INVALID_PARAMS)

    async def test_cancel(self):
        async with self.session() as session:
            request = session._request_id
            call = asyncio.create_task(session.call_tool("add", {"numbers": [1], "seconds": 3}))
            await asyncio.sleep(0.5)
            running = await session.call_tool("troupe_list", {"limit": 1})
            id = running.structuredContent["envelopes"][0]["id"]
            await session.send_notification(types.ClientNotification(
                types.CancelledNotification(params=types.CancelledNotificationParams(requestId=request, reason="enough"))))
            state = await session.call_tool("troupe_status", {"id": id})
            self.assertEqual(state.structuredContent["envelope"]["status"], "cancelled")
            await asyncio.sleep(0.3)
            self.assertFalse(call.done(), "what is cancelled gets no answer")
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call

    async def test_resume(self):
        """A call whose connection is lost with its whole session object, and goes on in another."""
        tokens = []

        async def note(token):
            tokens.append(token)

        request = types.ClientRequest(types.CallToolRequest(
            params=types.CallToolRequestParams(name="add", arguments={"numbers": [4, 5], "seconds": 1})))
        async with streamable_http_client(URL, terminate_on_close=False) as (reading, writing, session_id):
            async with ClientSession(reading, writing) as session:
                await session.initialize()
                call = asyncio.create_task(session.send_request(
                    request, types.CallToolResult,
                    metadata=ClientMessageMetadata(on_resumption_token_update=note)))
                while not tokens:
                    await asyncio.sleep(0.05)
                call.cancel()
                id = session_id()
        headers = {"mcp-session-id": id, "mcp-protocol-version": "2025-11-25"}
        async with httpx.AsyncClient(headers=headers) as client:
            async with streamable_http_client(URL, http_client=client) as (reading, writing, _):
                async with ClientSession(reading, writing) as session:
                    result = await session.send_request(
                        request, types.CallToolResult, metadata=ClientMessageMetadata(resumption_token=tokens[0]))
                    self.assertEqual(result.structuredContent, {"sum": 9})

    async def test_resources(self):
        async with self.session() as session:
            created = await session.experimental.call_tool_as_task("add", {"numbers": [1], "seconds": 1})
            uri = AnyUrl(f"troupe://envelopes/{created.task.taskId}")
            await session.subscribe_resource(uri)
            updated = await self.next_told(types.ResourceUpdatedNotification)
            self.assertEqual(updated.params.uri, uri)
            await session.experimental.get_task_result(created.task.taskId, types.CallToolResult)
            text = (await session.read_resource(uri)).contents[0].text
            self.assertIn('"status":"succeeded"', text)
            await session.unsubscribe_resource(uri)
            listed = (await session.list_resources()).resources
            self.assertIn(uri, [resource.uri for resource in listed])
            templates = (await session.list_resource_templates()).resourceTemplates
            self.assertIn("troupe://envelopes/{id}", [template.uriTemplate for template in templates])
            prompt = await session.get_prompt("troupe_diagnose", {"id": created.task.taskId})
            self.assertEqual(len(prompt.messages), 3)
            reference = types.PromptReference(type="ref/prompt", name="troupe_diagnose")
            completed = await session.complete(reference, {"name": "id", "value": created.task.taskId[:8]})
            self.assertIn(created.task.taskId, completed.completion.values)

    async def test_tasks(self):
        async with self.session() as session:
            tasks = session.experimental
            created = await tasks.call_tool_as_task("add", {"numbers": [20, 22], "seconds": 1})
            id = created.task.taskId
            self.assertEqual(created.task.status, "working")
            told = await self.next_told(types.TaskStatusNotification)
            self.assertEqual(told.params.taskId, id)
            statuses = [status.status async for status in tasks.poll_task(id)]
            self.assertEqual(statuses[-1], "completed")
            result = await tasks.get_task_result(id, types.CallToolResult)
            self.assertEqual(result.structuredContent, {"sum": 42})
            self.assertEqual([task.taskId for task in (await tasks.list_tasks()).tasks], [id])
            other = (await tasks.call_tool_as_task("add", {"numbers": [1], "seconds": 3})).task.taskId
            self.assertEqual((await tasks.cancel_task(other)).status, "cancelled")
            failed = (await tasks.call_tool_as_task("fail", {"reason": "on purpose"})).task.taskId
            self.assertEqual([status.status async for status in tasks.poll_task(failed)][-1], "failed")

    async def test_tools_change(self):
        before = TOOLS.read_text()
        self.addCleanup(TOOLS.write_text, before)
        async with self.session() as session:
            await session.list_tools()
            await asyncio.sleep(0.3)  # its own stream opens beside
            TOOLS.write_text(before + "  - {name: new, route: [slow]}\n")
            await self.next_told(types.ToolListChangedNotification)
            self.assertIn("new", [tool.name for tool in (await session.list_tools()).tools])
            result = await session.call_tool("new", {"a": 1})
            self.assertEqual(result.structuredContent, {"a": 1})

    async def test_many_at_once(self):
        async with self.session() as session:
            results = await asyncio.gather(*(session.call_tool("add", {"numbers": [n, 1]}) for n in range(40)))
            self.assertEqual([result.structuredContent["sum"] for result in results], list(range(1, 41)))


if __name__ == "__main__":
    unittest.main(warnings="ignore")  # tasks of 2025-11-25 are deprecated, and still to be served
