# SPDX-License-Identifier: Apache-2.0
"""The trainings of examples/: a few steps with torch's layers and with ours give the same losses and weights."""

import importlib
import pathlib

import ctconv
import pytest

torch = pytest.importorskip("torch")
EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"
CASES = [("train_unet3d", "UNet", "volumes"), ("train_vocoder", "Vocoder", "sounds")]


@pytest.mark.parametrize("name,network,batches", CASES)
def test_a_few_steps(monkeypatch, name, network, batches):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    example, beside = importlib.import_module(name), importlib.import_module("train_beside")
    monkeypatch.setattr(example, "SIDE", 16, raising=False)
    monkeypatch.setattr(example, "FRAMES", 8, raising=False)
    trainings = [
        beside.Training(getattr(example, network), layers, example.loss) for layers in (torch.nn, ctconv.torch.nn)
    ]
    rank = 3 if network == "UNet" else 1
    for layers, training in zip((torch.nn, ctconv.torch.nn), trainings):
        kind = getattr(layers, f"ConvTranspose{rank}d")
        assert any(isinstance(module, kind) for module in training.model.modules())
        for step in range(3):
            training.step(getattr(example, batches)(step))
    theirs, ours = trainings
    assert theirs.losses == pytest.approx(ours.losses, abs=2e-3)
    assert len(set(ours.losses)) == 3 and beside.apart(ours, theirs)[0] < 2e-3
