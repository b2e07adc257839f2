"""Hello servers on the frameworks people run: uvicorn with httptools, FastAPI on it, and aiohttp."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bench.compare.servers.endpoint import Endpoint

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def hello(scope: dict[str, Any], receive: Receive, send: Send) -> None:  # noqa: ARG001  ASGI's signature
    """Answer 13 bytes: the smallest ASGI application."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"13")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"Hello, world!"})


async def _serve_uvicorn(application: Any, endpoint: Endpoint) -> None:
    import uvicorn

    config = uvicorn.Config(application, http="httptools", lifespan="off", log_level="error", access_log=False)
    await uvicorn.Server(config).serve(sockets=[endpoint.listen()])


async def asgi(endpoint: Endpoint) -> None:
    """Serve the bare ASGI application on uvicorn and httptools."""
    await _serve_uvicorn(hello, endpoint)


async def fastapi(endpoint: Endpoint) -> None:
    """Serve one FastAPI route that answers JSON."""
    from fastapi import FastAPI

    application = FastAPI()

    @application.get("/")
    async def root() -> dict[str, str]:
        return {"message": "Hello, world!"}

    await _serve_uvicorn(application, endpoint)


async def aiohttp(endpoint: Endpoint) -> None:
    """Serve one aiohttp route that answers text."""
    from aiohttp import web

    async def root(request: web.Request) -> web.Response:  # noqa: ARG001  aiohttp's signature
        return web.Response(text="Hello, world!")

    application = web.Application()
    application.router.add_get("/", root)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.SockSite(runner, endpoint.listen(), backlog=4096).start()
    await asyncio.get_running_loop().create_future()
