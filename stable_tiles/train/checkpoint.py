"""Checkpoints: all of a training's state as safetensors and JSON, whole or not there at all.

A checkpoint is a folder ``checkpoints/step-00001000`` with the tensors of a
state tree in ``tensors.safetensors`` and everything else in ``state.json``,
which also holds the tensors' sha256.  It is written under another name and
renamed when complete; what was torn all the same fails its digest and is
passed over.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

TENSORS, STATE = "tensors.safetensors", "state.json"
_NAME = re.compile(r"step-(\d{8,})")
_TENSOR, _PAIRS = "$tensor", "$pairs"


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` steps; `tree` nests dicts and lists of tensors and plain values."""

    step: int
    tree: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint into `folder` and remove all but the `keep` newest.

    A kill at any moment leaves the earlier checkpoints as they were.

    Returns
    -------
    Path
        The checkpoint's folder.

    Raises
    ------
    OSError
        If the disk is full or not writable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{checkpoint.step:08d}"
    partial = folder / f"{final.name}.partial"
    for leftover in (*folder.glob("*.partial"), final):
        if leftover.exists():
            shutil.rmtree(leftover)
    partial.mkdir()
    tensors: dict[str, torch.Tensor] = {}
    plain = _split(checkpoint.tree, "", tensors)
    save_file(tensors, partial / TENSORS)
    digest = _sha256(partial / TENSORS)
    text = json.dumps({"step": checkpoint.step, "sha256": digest, "state": plain})
    (partial / STATE).write_text(text, encoding="utf-8")
    for file in partial.iterdir():
        _flush(file)
    os.replace(partial, final)
    for old in _folders(folder)[keep:]:
        shutil.rmtree(old)
    return final


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint of `folder` that is whole, or None where there is none."""
    for candidate in _folders(folder):
        found = _load(candidate)
        if found is not None:
            return found
    return None


def _folders(folder: Path) -> list[Path]:
    """Checkpoints that were renamed to their final name, newest first."""
    if not folder.is_dir():
        return []
    found = [entry for entry in folder.iterdir() if _NAME.fullmatch(entry.name)]
    return sorted(found, key=lambda entry: int(entry.name.split("-")[1]), reverse=True)


def _load(folder: Path) -> Checkpoint | None:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if state["sha256"] != _sha256(folder / TENSORS):
            return None
        tensors = load_file(folder / TENSORS)
        return Checkpoint(int(state["step"]), _join(state["state"], tensors))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def _split(node: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """The node as JSON; its tensors go into `tensors` under their paths."""
    if isinstance(node, torch.Tensor):
        # clone: tensors that share memory are written as tensors of their own
        tensors[path] = node.detach().cpu().contiguous().clone()
        return {_TENSOR: path}
    if isinstance(node, dict):
        pairs = [[key, _split(value, f"{path}/{key}", tensors)] for key, value in node.items()]
        if all(isinstance(key, str) for key in node):
            return dict(pairs)
        return {_PAIRS: pairs}
    if isinstance(node, list | tuple):
        return [_split(value, f"{path}/{i}", tensors) for i, value in enumerate(node)]
    return node


def _join(node: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(node, list):
        return [_join(value, tensors) for value in node]
    if not isinstance(node, dict):
        return node
    if _TENSOR in node:
        return tensors[node[_TENSOR]]
    if _PAIRS in node:
        return {key: _join(value, tensors) for key, value in node[_PAIRS]}
    return {key: _join(value, tensors) for key, value in node.items()}


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
