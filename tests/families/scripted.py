"""Tiny real models that write given texts, dressed as any family of models.

A GPT-2 of one layer whose attention is silent. Where a script lies, the position
alone decides the next token: a prompt as long as the script's place calls it up, so
that one model holds hundreds of texts. Everywhere else the latest token decides, by
the MLP: a short closing answer follows wherever a prompt may end.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TOKENIZER = Path(__file__).resolve().parent.parent / "models" / "tiny-qwen2-vl"
POSITIONS = 12_288
WIDTH = 64
END = "<|im_end|>"
END_ROOM = 48
# A word that is one token wherever it stands, to make prompts longer.
FILLER = " the"

_TAGS = (
    r"(?:think|tool_call|tool_calls|tool_response|arg_key|arg_value|seed:think"
    r"|seed:tool_call|minimax:tool_call|mm:think|TOOLCALL|response|tool_sep)"
)
_WORDS = (
    r"(?:INST|THINK|TOOL_CALLS|ARGS|TOOL_RESULTS|AVAILABLE_TOOLS|SYSTEM_PROMPT"
    r"|CALL_ID|TOOL_CONTENT)"
)
# What families have tokens of their own for.
_MARKER = re.compile(
    rf"<\|[^|<>\n ]{{1,40}}\|>|<\uff5c[^\uff5c<>\n]{{1,40}}\uff5c>|</?{_TAGS}(?::opensource)?>"
    rf"|\[/?{_WORDS}\]|<\|[a-z_\"]+>|<[a-z_]+\|>|\uff5cDSML\uff5c|\]<\]minimax\[>\["
)


@dataclass(frozen=True)
class Scripted:
    """A model of one family in `folder`, and what it can be made to say.

    `places` is how long a prompt has to be for each text, give or take any number of
    `cycle`s; without `cycle`, exactly so long.
    """

    folder: Path
    places: dict[str, int]
    cycle: int = 0
    lengths: dict[str, int] = field(default_factory=dict)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer."""
        return Tokenizer.from_file(str(self.folder / "tokenizer.json"))

    def filler(self, script: str, prompt_tokens: int) -> str:
        """Return what makes a prompt of so many tokens long enough for `script`."""
        missing = self.places[script] - prompt_tokens
        if self.cycle:
            missing %= self.cycle
        assert missing >= 0, f"{prompt_tokens} tokens are too many for {script}"
        return FILLER * missing

    def token(self, marker: str) -> int:
        """Return the one token of a marker."""
        found = self.tokenizer.token_to_id(marker)
        assert found is not None, marker
        return found

    def tokens(self, text: str) -> list[int]:
        """Return a text's tokens."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def write_scripted(
    folder: Path,
    template: str,
    scripts: Mapping[str, str],
    *,
    markers: Iterable[str] = (),
    end: str = END,
) -> Scripted:
    """Write a model that says each of `scripts`, by name, and then `end`."""
    shown = [marker for text in scripts.values() for marker in _MARKER.findall(text)]
    dress(folder, template, [*markers, *shown, end])
    made = Scripted(folder, {})
    table: list[int] = []
    stop = made.token(end)
    for name, text in scripts.items():
        tokens = made.tokens(text)
        made.places[name] = len(table) + 1
        made.lengths[name] = len(tokens)
        # Where a grammar made it say more, it still ends.
        table += [*tokens, *([stop] * END_ROOM)]
    said = {at: table[at % len(table)] for at in range(POSITIONS)}
    write_weights(folder, made.tokenizer, said, end=stop)
    return Scripted(folder, made.places, len(table), made.lengths)


def write_caller(
    folder: Path,
    template: str,
    call: str,
    answer: str,
    *,
    at: int,
    end: str = END,
) -> Scripted:
    """Write a model that calls where a prompt is `at` tokens long, else answers."""
    shown = _MARKER.findall(call + answer)
    dress(folder, template, [*shown, end])
    made = Scripted(folder, {"call": at})
    stop = made.token(end)
    spoken = [*made.tokens(call), stop]
    said = {at - 1 + index: token for index, token in enumerate(spoken)}
    chain = [*made.tokens(answer), stop]
    assert len(set(chain)) == len(chain), "a token of the answer comes twice"
    write_weights(folder, made.tokenizer, said, end=stop, chain=chain)
    return made


def dress(folder: Path, template: str, markers: Iterable[str] = ()) -> None:
    """Write a small real tokenizer with another template and its markers as tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = json.loads((TOKENIZER / "tokenizer.json").read_text())
    added = tokenizer["added_tokens"]
    known = {token["content"] for token in added}
    free = max([t["id"] for t in added] + list(tokenizer["model"]["vocab"].values()))
    for marker in dict.fromkeys([*_MARKER.findall(template), *markers]):
        if marker not in known:
            free += 1
            added.append(added[0] | {"special": False, "id": free, "content": marker})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = json.loads((TOKENIZER / "tokenizer_config.json").read_text())
    for name in ("added_tokens_decoder", "chat_template"):
        config.pop(name, None)
    config["bos_token"] = "<|endoftext|>"
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def write_weights(
    folder: Path,
    tokenizer: Tokenizer,
    said: Mapping[int, int],
    *,
    end: int,
    chain: Sequence[int] = (),
    positions: int = POSITIONS,
) -> None:
    """Write config and weights: `said` by position, else `chain` from its beginning."""
    vocabulary = tokenizer.get_vocab_size()
    codes = _codes(vocabulary)
    places = np.zeros((positions, WIDTH), np.float32)
    at = np.fromiter(said, int)
    # So much louder than the latest token that nothing else is heard.
    places[at] = 1000 * codes[np.fromiter(said.values(), int)]
    layer = "model.h.0."
    weights = {
        "model.wte.weight": codes,
        "model.wpe.weight": places,
        **_norm("model.ln_f"),
        **_norm(f"{layer}ln_1"),
        **_norm(f"{layer}ln_2"),
        **_silent(f"{layer}attn.c_attn", 3 * WIDTH, WIDTH),
        **_silent(f"{layer}attn.c_proj", WIDTH, WIDTH),
        **_silent(f"{layer}mlp.c_fc", 4 * WIDTH, WIDTH),
        **_silent(f"{layer}mlp.c_proj", WIDTH, 4 * WIDTH),
    }
    if chain:
        _wire(weights, f"{layer}mlp.", codes, chain)
    save_file(weights, folder / "model.safetensors", metadata={"format": "mlx"})
    config = {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "n_ctx": positions,
        "n_embd": WIDTH,
        "n_head": 2,
        "n_layer": 1,
        "n_positions": positions,
        "max_position_embeddings": positions,
        "layer_norm_epsilon": 1e-5,
        "vocab_size": vocabulary,
        "eos_token_id": end,
    }
    (folder / "config.json").write_text(json.dumps(config))


def _codes(vocabulary: int) -> np.ndarray:
    """Return a row for each token, any two of them very unlike."""
    chance = np.random.default_rng(1)
    codes = chance.choice([-1.0, 1.0], size=(vocabulary, WIDTH)).astype(np.float32)
    alike = codes @ codes.T - WIDTH * np.eye(vocabulary, dtype=np.float32)
    assert alike.max() <= WIDTH - 20
    return codes


def _norm(name: str) -> dict[str, np.ndarray]:
    ones, zeros = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    return {f"{name}.weight": ones, f"{name}.bias": zeros}


def _silent(name: str, rows: int, columns: int) -> dict[str, np.ndarray]:
    weight = np.zeros((rows, columns), np.float32)
    return {f"{name}.weight": weight, f"{name}.bias": np.zeros(rows, np.float32)}


def _wire(
    weights: dict[str, np.ndarray], mlp: str, codes: np.ndarray, chain: Sequence[int]
) -> None:
    """Let each token of a chain be followed by the next, any other by the first."""
    assert len(chain) <= 4 * WIDTH
    for unit, (token, following) in enumerate(itertools.pairwise(chain)):
        weights[f"{mlp}c_fc.weight"][unit] = codes[token]
        # Heard from the token itself (64) and from no other (44 at most).
        weights[f"{mlp}c_fc.bias"][unit] = 10 - WIDTH
        weights[f"{mlp}c_proj.weight"][:, unit] = 2 * codes[following]
    weights[f"{mlp}c_proj.bias"] = 6 * codes[chain[0]]
