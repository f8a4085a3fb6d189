"""Saves and loads checkpoints, from which an interrupted training run resumes.

A checkpoint is one safetensors file with weights, optimiser state and random-generator state. The
header of the file has the remaining state as JSON. Each save replaces the whole file.
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
    """The saved state of a training run.

    weights:   name -> tensor, the current weights.
    best:      name -> tensor, the weights with the best validation result so far.
    optimizer: number of a parameter -> name of an optimiser variable -> tensor.
    random:    device -> state of its random generator.
    state:     the remaining state, as a JSON object.
    """

    weights: Mapping[str, torch.Tensor]
    best: Mapping[str, torch.Tensor]
    optimizer: Mapping[int, Mapping[str, torch.Tensor]]
    random: Mapping[str, torch.Tensor]
    state: Mapping[str, Any]

    def save(self, folder: Path) -> None:
        """Write the checkpoint into `folder`, and replace an earlier checkpoint there."""
        tensors = {f"weights/{name}": value for name, value in self.weights.items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        tensors |= {f"random/{name}": value for name, value in self.random.items()}
        for number, values in self.optimizer.items():
            tensors |= {f"optimizer/{number}/{name}": value for name, value in values.items()}
        # safetensors rejects tensors that share memory (tied weights).
        copies = {name: value.detach().cpu().clone() for name, value in tensors.items()}
        partial = folder / f"{FILE}.partial"
        save_file(copies, partial, metadata={"state": json.dumps(self.state)})
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.replace(folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Checkpoint | None:
        """Return the checkpoint in `folder`, or None if there is none.

        Raises CorruptFileError for a checkpoint that cannot be read.
        """
        file = folder / FILE
        if not file.is_file():
            return None
        parts: dict[str, dict[str, torch.Tensor]] = {"weights": {}, "best": {}, "random": {}}
        optimizer: dict[int, dict[str, torch.Tensor]] = {}
        try:
            with safe_open(file, "pt") as tensors:
                state = json.loads(tensors.metadata()["state"])
                for key in tensors.keys():  # noqa: SIM118 - Not a mapping.
                    part, _, name = key.partition("/")
                    if part == "optimizer":
                        number, _, name = name.partition("/")
                        optimizer.setdefault(int(number), {})[name] = tensors.get_tensor(key)
                    else:
                        parts[part][name] = tensors.get_tensor(key)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise CorruptFileError(
                file,
                f"is not a valid checkpoint ({error})",
                remedy="remove this file to start the training again",
            ) from None
        return cls(parts["weights"], parts["best"], optimizer, parts["random"], state)
