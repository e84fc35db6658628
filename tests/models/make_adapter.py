"""Makes a LoRA adapter with random weights: `python make_adapter.py MODEL TARGET`.

In the form that `mlx_lm.lora` writes, strong enough to change what is said.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import load_model

PARAMETERS = {"rank": 4, "scale": 20.0, "dropout": 0.0}


def main(source: Path, target: Path) -> None:
    """Write the adapter of `source` into the folder `target`."""
    mx.random.seed(7)
    model, _ = load_model(source)
    model.freeze()
    layers = len(model.layers)
    linear_to_lora_layers(model, layers, PARAMETERS)
    weights = {
        name: mx.random.normal(array.shape) * 0.2
        for name, array in tree_flatten(model.trainable_parameters())
    }
    target.mkdir(parents=True, exist_ok=True)
    mx.save_safetensors(str(target / "adapters.safetensors"), weights)
    config = {
        "fine_tune_type": "lora",
        "model": str(source),
        "num_layers": layers,
        "lora_parameters": PARAMETERS,
    }
    (target / "adapter_config.json").write_text(json.dumps(config))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
