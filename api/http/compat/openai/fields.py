"""Which fields of OpenAI's requests have no effect, and why."""

from __future__ import annotations

from ..fields import Fields, Refused

_SAMPLING = "generators sample by temperature and seed only; remove this field"
_TOOLS = "generators call no tools; remove this field"
_MEDIA = "answers are texts; remove this field"
_CACHE = "the cache of a language model needs no hints"
_NAMES = "names the caller's user, and nothing is stored"

CHAT = Fields(
    refused={
        "audio": Refused(_MEDIA),
        "frequency_penalty": Refused(_SAMPLING, (0,)),
        "function_call": Refused(_TOOLS, ("none",)),
        "functions": Refused(_TOOLS, ([],)),
        "logit_bias": Refused(_SAMPLING, ({},)),
        "logprobs": Refused("generators return no probabilities; remove this field", (False,)),
        "modalities": Refused(_MEDIA, (["text"],)),
        "moderation": Refused("no moderation is available; remove this field"),
        "n": Refused("one answer is written for a question; remove this field", (1,)),
        "prediction": Refused("predicted texts are not supported; remove this field"),
        "presence_penalty": Refused(_SAMPLING, (0,)),
        "reasoning_effort": Refused(
            "the configuration of a generator sets how it writes; remove this field", ("none",)
        ),
        "response_format": Refused("answers are plain texts", ({"type": "text"},)),
        "stop": Refused("generators end by themselves; use `max_tokens`", ([],)),
        "store": Refused("no answer is stored; remove this field", (False,)),
        "tool_choice": Refused(_TOOLS, ("none", "auto")),
        "tools": Refused(_TOOLS, ([],)),
        "top_logprobs": Refused("generators return no probabilities; remove this field", (0,)),
        "top_p": Refused(_SAMPLING, (1,)),
        "verbosity": Refused("use `max_tokens` to limit the answer", ("medium",)),
        "web_search_options": Refused(
            "the collection is searched, and not the web; use `twindex.search`"
        ),
        "service_tier": Refused("there is one tier; remove this field", ("auto", "default")),
    },
    ignored={
        "metadata": "nothing is stored",
        "parallel_tool_calls": "there are no tools",
        "prompt_cache_key": _CACHE,
        "prompt_cache_options": _CACHE,
        "prompt_cache_retention": _CACHE,
        "safety_identifier": _NAMES,
        "user": _NAMES,
    },
)
"""Fields of `POST /v1/chat/completions`."""

MESSAGE = Fields(
    refused={
        "audio": Refused(_MEDIA),
        "function_call": Refused(_TOOLS),
        "tool_calls": Refused(_TOOLS, ([],)),
        "refusal": Refused("only `content` is read; remove this field", ("",)),
        "tool_call_id": Refused(_TOOLS),
    },
    ignored={
        "annotations": "part of an earlier reply, which clients send back",
        "name": "does not change an answer",
    },
)
"""Fields of a message of `POST /v1/chat/completions`."""

EMBEDDINGS = Fields(refused={}, ignored={"user": _NAMES})
"""Fields of `POST /v1/embeddings`."""

RESPONSES = Fields(
    refused={
        "access_programs": Refused("there are no access programs; remove this field"),
        "background": Refused("answers are written at once; remove this field", (False,)),
        "background_options": Refused("answers are written at once; remove this field"),
        "context_management": Refused("send only the turns that count; remove this field", ([],)),
        "conversation": Refused("nothing is stored; send the earlier turns in `input`"),
        "image": Refused(_MEDIA),
        "include": Refused("sources are always in the reply, as `search_results`", ([],)),
        "instructions": Refused(
            "instructions are part of the generator's configuration; remove this field", ("",)
        ),
        "max_tool_calls": Refused(_TOOLS),
        "moderation": Refused("no moderation is available; remove this field"),
        "previous_response_id": Refused("nothing is stored; send the earlier turns in `input`"),
        "prompt": Refused("there are no stored prompts; send a question in `input`"),
        "reasoning": Refused(
            "the configuration of a generator sets how it writes; remove this field"
        ),
        "service_tier": Refused("there is one tier; remove this field", ("auto", "default")),
        "store": Refused("no answer is stored; remove this field", (False,)),
        "text": Refused("answers are plain texts", ({"format": {"type": "text"}},)),
        "tool_choice": Refused(_TOOLS, ("none", "auto")),
        "tools": Refused(_TOOLS, ([],)),
        "top_logprobs": Refused("generators return no probabilities; remove this field", (0,)),
        "top_p": Refused(_SAMPLING, (1,)),
        "truncation": Refused("earlier turns are never cut off by the server", ("disabled",)),
    },
    ignored={
        "parallel_tool_calls": "there are no tools",
        "prompt_cache_key": _CACHE,
        "prompt_cache_options": _CACHE,
        "prompt_cache_retention": _CACHE,
        "safety_identifier": _NAMES,
        "stream_options": "the events are sent as they are",
        "user": _NAMES,
    },
)
"""Fields of `POST /v1/responses`."""
