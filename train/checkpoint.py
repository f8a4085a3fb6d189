"""The state of a training on disk, so that one that is interrupted goes on where it was.

One file of safetensors, replaced as a whole: weights, the optimiser's state, the state of the
random numbers of dropout, and a JSON of the rest in its header.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..core import CorruptFileError

FILE = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """weights, best: name -> tensor. optimizer: parameter's number -> name -> tensor. state: what
    else is needed, as JSON."""

    weights: Mapping[str, torch.Tensor]
    best: Mapping[str, torch.Tensor]
    optimizer: Mapping[int, Mapping[str, torch.Tensor]]
    random: Mapping[str, torch.Tensor]
    state: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Replace the one in the folder."""
        tensors = {f"weights/{name}": value for name, value in self.weights.items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        tensors |= {f"random/{name}": value for name, value in self.random.items()}
        for number, values in self.optimizer.items():
            tensors |= {f"optimizer/{number}/{name}": value for name, value in values.items()}
        # Tensors that share memory (tied weights) are not accepted.
        copies = {name: value.detach().cpu().clone() for name, value in tensors.items()}
        partial = folder / f"{FILE}.partial"
        save_file(copies, partial, metadata={"state": json.dumps(self.state)})
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Checkpoint | None:
        """None where there is none. Raises CorruptFileError."""
        file = folder / FILE
        if not file.is_file():
            return None
        parts: dict[str, dict[str, torch.Tensor]] = {"weights": {}, "best": {}, "random": {}}
        optimizer: dict[int, dict[str, torch.Tensor]] = {}
        try:
            with safe_open(file, "pt") as tensors:
                state = json.loads(tensors.metadata()["state"])
                for key in tensors.keys():  # noqa: SIM118 - no mapping
                    part, _, name = key.partition("/")
                    if part == "optimizer":
                        number, _, name = name.partition("/")
                        optimizer.setdefault(int(number), {})[name] = tensors.get_tensor(key)
                    else:
                        parts[part][name] = tensors.get_tensor(key)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise CorruptFileError(file, f"is no checkpoint ({error}); remove it") from None
        return cls(parts["weights"], parts["best"], optimizer, parts["random"], state)
