"""Configuration of what asks a language model, whatever for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from ..core.bounds import Bounds, Calls, Milliseconds
from ..core.config import Device
from ..core.config_base import Config


class Limits(Config):
    """What answering may cost at most; None = no limit.

    calls:        prompts (of cross-encoders: pairs) that models read.
    tokens:       tokens that models read and write.
    milliseconds: wall-clock time.
    """

    calls: Calls | None = None
    tokens: Calls | None = None
    milliseconds: Milliseconds | None = None


class LanguageModelConfig(Config):
    """Which language model is asked.

    model:     its name on this machine, a folder, a GGUF file or "fake"; with `base_url`, the name
               that the server there knows it by.
    base_url:  of an OpenAI-compatible server, for example "http://127.0.0.1:8000/v1".
    api_key_variable: the environment variable that holds the server's key.
    timeout_seconds:  for one request to the server.
    """

    model: str = "SmolLM2-135M-Instruct"
    revision: str | None = None
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    device: Device = "auto"
    base_url: str | None = None
    api_key_variable: str | None = None
    timeout_seconds: Annotated[float, Bounds(0, 86_400, above=True)] = 60.0

    @model_validator(mode="after")
    def _key_of_a_server(self) -> Self:
        if self.api_key_variable is not None and self.base_url is None:
            raise ValueError("api_key_variable: only a server (base_url) takes a key")
        return self
