"""Configuration of a language model and of limits on its use."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from ..core.bounds import Bounds, Calls, Milliseconds
from ..core.config import Config, Device


class Limits(Config):
    """Limits on the use of a model by one task. None: no limit.

    calls:        maximum number of prompts that models read. For cross-encoders: maximum number of
                  pairs of query and document.
    tokens:       maximum number of tokens that models read and generate.
    milliseconds: maximum wall-clock time.
    """

    calls: Calls | None = None
    tokens: Calls | None = None
    milliseconds: Milliseconds | None = None


class LanguageModelConfig(Config):
    """A language model, on this machine or on a server.

    model:     name on this machine, a folder, a GGUF file or "fake". With `base_url`: the model's
               name on the server.
    base_url:  address of an OpenAI-compatible server, such as "http://127.0.0.1:8000/v1".
    api_key_variable: environment variable that contains the server's API key.
    timeout_seconds:  time limit of one request to the server.
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
            raise ValueError(
                "`api_key_variable` requires `base_url`, because only a server uses a key"
            )
        return self
