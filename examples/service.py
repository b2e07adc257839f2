"""A small but real FastAPI service: a JSON route, a token stream, a WebSocket, and the loop's own statistics.

Run it on clearloop with either command, from the repository's root:

    uvicorn examples.service:app --loop clearloop:new_event_loop
    python -m examples.service --port 8000            (--loop asyncio for comparison)

Nothing here knows which loop it runs on; `/statistics` asks the running loop whether it keeps any.
"""

import argparse
import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, HTTPException, Path, Query, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from examples.answer import DONE_EVENT, answer_tokens, item_fields, token_event, websocket_answer

TOKEN_INTERVAL_S = 0.01
LOOP_SETTINGS = {"clearloop": "clearloop:new_event_loop"}  # every other name is uvicorn's own, or module:function

app = FastAPI(title="clearloop example service")


class Item(BaseModel):
    """One item of the catalogue."""

    item_id: int
    name: str
    price_cents: int


@app.get("/items/{item_id}")
async def read_item(item_id: Annotated[int, Path(ge=0)]) -> Item:
    """Ordinary JSON route: validation in, validation out."""
    return Item.model_validate(item_fields(item_id))


@app.get("/stream")
async def stream(prompt: Annotated[str, Query(max_length=500)]) -> StreamingResponse:
    """Answer a prompt token by token as server-sent events, the way a language model's gateway does."""
    return StreamingResponse(events(prompt), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def events(prompt: str) -> AsyncIterator[str]:
    """Yield one server-sent event per token; the pause before each stands for the model's work elsewhere."""
    for token in answer_tokens(prompt):
        await asyncio.sleep(TOKEN_INTERVAL_S)
        yield f"data: {token_event(token)}\n\n"
    yield f"data: {DONE_EVENT}\n\n"


@app.websocket("/ws")
async def talk(websocket: WebSocket) -> None:
    """Answer each message until the client leaves."""
    await websocket.accept()
    async for message in websocket.iter_text():
        await websocket.send_text(websocket_answer(message))


@app.get("/statistics")
async def statistics() -> dict[str, Any]:
    """Return what the running loop has counted since it started; 404 where the loop keeps no account."""
    loop = asyncio.get_running_loop()
    take = getattr(loop, "statistics", None)
    if take is None:
        name = f"{type(loop).__module__}.{type(loop).__qualname__}"
        raise HTTPException(
            status_code=404,
            detail=f"The running loop, {name}, keeps no statistics: start the service with --loop clearloop.",
        )
    return dataclasses.asdict(take())


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m examples.service", description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--loop",
        default="clearloop",
        help="clearloop, asyncio, uvloop or module:function (default: %(default)s)",
    )
    options = parser.parse_args()
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        loop=LOOP_SETTINGS.get(options.loop, options.loop),
        access_log=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
