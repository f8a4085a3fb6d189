"""Which fields of Cohere's requests have no effect, and why."""

from __future__ import annotations

from ..fields import Fields, Refused

_SAMPLING = "generators sample by temperature and seed only; remove this field"
_TOOLS = "generators call no tools; remove this field"
_PRIORITY = Refused("requests are handled in their order; remove this field", (0,))

CHAT = Fields(
    refused={
        "frequency_penalty": Refused(_SAMPLING, (0,)),
        "k": Refused(_SAMPLING, (0,)),
        "logprobs": Refused("generators return no probabilities; remove this field", (False,)),
        "p": Refused(_SAMPLING),
        "presence_penalty": Refused(_SAMPLING, (0,)),
        "priority": _PRIORITY,
        "raw_prompting": Refused("generators write the prompt; remove this field", (False,)),
        "response_format": Refused("answers are plain texts", ({"type": "text"},)),
        "safety_mode": Refused("generators have no safety modes; remove this field", ("OFF",)),
        "stop_sequences": Refused("generators end by themselves; use `max_tokens`", ([],)),
        "strict_tools": Refused(_TOOLS, (False,)),
        "thinking": Refused("generators do not think aloud", ({"type": "disabled"},)),
        "tool_choice": Refused(_TOOLS, ("NONE",)),
        "tools": Refused(_TOOLS, ([],)),
    },
    ignored={},
)
"""Fields of `POST /v2/chat`."""

MESSAGE = Fields(
    refused={
        "tool_calls": Refused(_TOOLS, ([],)),
        "tool_call_id": Refused(_TOOLS),
        "tool_plan": Refused(_TOOLS, ("",)),
    },
    ignored={"citations": "part of an earlier reply, which clients send back"},
)
"""Fields of a message of `POST /v2/chat`."""

EMBED = Fields(
    refused={
        "images": Refused("only texts are embedded; remove this field", ([],)),
        "max_tokens": Refused("the configuration of an encoder sets how much it reads"),
        "priority": _PRIORITY,
    },
    ignored={},
)
"""Fields of `POST /v2/embed`."""
