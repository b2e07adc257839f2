"""What the example service says, without any web framework: the demo's client checks the answers against it.

Only pure functions of the request live here; transport and timing belong to service.py.
"""

import json

DONE_EVENT = "[DONE]"


def item_fields(item_id: int) -> dict[str, int | str]:
    """Fields of one item as `/items/{item_id}` answers them."""
    return {"item_id": item_id, "name": f"item {item_id}", "price_cents": 100 + item_id % 900}


def answer_tokens(prompt: str) -> list[str]:
    """Tokens of the answer to a prompt, in order; joined they are the whole text."""
    text = f"You asked: {prompt}. A clear loop sends every token on time."
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]


def token_event(token: str) -> str:
    """One token as the data of a server-sent event (JSON keeps blanks and line ends intact)."""
    return json.dumps({"token": token})


def websocket_answer(message: str) -> str:
    """Answer one message as `/ws` does."""
    return f"you said: {message}"
