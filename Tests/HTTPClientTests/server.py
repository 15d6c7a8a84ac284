"""An HTTP server that misbehaves on request.

Prints its port, its TLS port and its certificate's file on one line. Ends when its standard input does.
"""

import asyncio
import json
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
from urllib.parse import parse_qs, urlsplit

connections = 0
flooded = 0


def reply(status, body=b"", headers=(), reason="OK"):
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def read_request(reader):
    method, target, _ = (await reader.readline()).decode("latin-1").split(" ", 2)
    headers = []
    while (line := (await reader.readline()).decode("latin-1").rstrip("\r\n")):
        name, _, value = line.partition(":")
        headers.append([name, value.strip()])
    length = next((int(v) for n, v in headers if n.lower() == "content-length"), 0)
    return method, target, headers, await reader.readexactly(length)


async def answer(method, target, headers, body, number, writer):
    """What to send; None closes the connection."""
    url = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    if url.path == "/echo":
        seen = {"method": method, "target": target, "headers": headers, "body": body.decode("latin-1")}
        return b"" if method == "HEAD" else reply(200, json.dumps(seen).encode())
    if url.path == "/mirror":
        return reply(200, body, ["Content-Type: application/octet-stream"])
    if url.path == "/status":
        return reply(int(query["code"]), b"said so", ["X-Twice: a", "x-twice: b", "X-Empty:"])
    if url.path == "/slow":
        await asyncio.sleep(float(query["seconds"]))
        return reply(200, b"late")
    if url.path == "/drip":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.05)
        return b""
    if url.path == "/truncated":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
        return None
    if url.path == "/truncated-chunks":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n")
        return None
    if url.path == "/reset":
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return None
    if url.path == "/nothing":
        return None
    if url.path == "/large":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(int(query["chunks"])):
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()
        return b"0\r\n\r\n"
    if url.path == "/flood":
        global flooded
        flooded = 0
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (int(query["chunks"]) << 16))
        for _ in range(int(query["chunks"])):
            writer.write(b"x" * 0x10000)
            await writer.drain()
            flooded += 0x10000
        return b""
    if url.path == "/flooded":
        return reply(200, str(flooded).encode())
    if url.path == "/events":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(float(query.get("pause", "0")))
        for number in range(int(query["count"])):
            event = b"id: %d\ndata: %d\n\n" % (number, number)
            writer.write(b"%x\r\n" % len(event) + event + b"\r\n")
            await writer.drain()
        if "hold" in query:
            await asyncio.sleep(float(query["hold"]))
        return b"0\r\n\r\n"
    if url.path == "/large-headers":
        return b"HTTP/1.1 200 OK\r\n" + b"X-Long: %s\r\n" % (b"h" * 60_000) * 8 + b"Content-Length: 0\r\n\r\n"
    if url.path == "/redirect":
        return reply(302, b"", ["Location: /echo"], "Found")
    if url.path == "/garbage":
        writer.write(b"\x00\xff\xfe this is no HTTP\r\n\r\n")
        return None
    if url.path == "/interim":
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </early>\r\n\r\n")
        return reply(200, b"final", ["X-Final: yes"])
    if url.path == "/connection":
        return reply(200, str(number).encode())
    if url.path == "/close-later":
        # Keeps quiet about closing: the client finds out when it uses the connection again.
        writer.write(reply(200, str(number).encode()))
        await writer.drain()
        return None
    return reply(404, b"no such page", reason="Not Found")


async def serve(reader, writer):
    global connections
    connections += 1
    number = connections
    try:
        while True:
            request = await read_request(reader)
            answered = await answer(*request, number, writer)
            if answered is None:
                break
            writer.write(answered)
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError, ValueError):
        pass
    finally:
        writer.close()


def make_certificate(path):
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-batch", "-subj", "/CN=localhost",
         "-addext", names, "-keyout", path, "-out", path + ".crt"],
        check=True, stderr=subprocess.DEVNULL)
    with open(path + ".crt") as certificate, open(path, "a") as both:
        both.write(certificate.read())


async def main(folder):
    certificate = folder + "/server.pem"
    make_certificate(certificate)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    plain = await asyncio.start_server(serve, "127.0.0.1", 0)
    secure = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    print(*(server.sockets[0].getsockname()[1] for server in (plain, secure)), certificate, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


with tempfile.TemporaryDirectory(prefix="troupe-http-") as folder:
    asyncio.run(main(folder))
