"""What may be asked of a benchmark: every option, its bounds, and the plan they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.client.address import AddressError, read_base_url
from inference.client.bench import BenchPlan
from mlxsite.options import DAY_S, Seconds, Whole, bounded

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

CONCURRENCY = Whole(8, 1, 1024)
REQUESTS = Whole(16, 1, 100_000)
ROUNDS = Whole(1, 1, 1000)
MAX_TOKENS = Whole(64, 1, 100_000)
INPUT_TOKENS = Whole(256, 1, 1_000_000)
TIMEOUT = Seconds(600, 1, DAY_S)
MOST_LEVELS = 16
NOTE_LENGTH = 200
ROUNDS_AGAINST = 5
STDOUT = "-"


class PlanError(ValueError):
    """What is asked for cannot be measured; the message is one line."""


def add_bench_options(parser: argparse.ArgumentParser) -> None:
    """Declare what is measured, with whom it is compared, and where figures go."""
    parser.add_argument("model", metavar="MODEL", help="the name clients use")
    load = parser.add_argument_group("load")
    load.add_argument(
        "--concurrency",
        type=bounded(levels),
        default="1,8",
        metavar="N,N,...",
        help="how many requests at a time, one level after the other (%(default)s)",
    )
    _number(load, "--requests", REQUESTS, "a round and server (8, or 2 x concurrency)")
    _number(
        load,
        "--rounds",
        ROUNDS,
        f"rounds of each level ({ROUNDS.default}; {ROUNDS_AGAINST} with --against)",
    )
    _number(load, "--max-tokens", MAX_TOKENS, "tokens of an answer ({})")
    prompts = load.add_mutually_exclusive_group()
    prompts.add_argument(
        "--prompt-file",
        type=Path,
        metavar="FILE",
        help="a prompt a line: text, or JSON with prompt or messages",
    )
    _number(prompts, "--input-tokens", INPUT_TOKENS, "prompts of about N tokens")
    load.add_argument(
        "--timeout",
        type=bounded(TIMEOUT.parse),
        default=TIMEOUT.default,
        metavar="SECONDS",
        help="after which a request counts as failed (%(default)g)",
    )
    other = parser.add_argument_group("a second server")
    other.add_argument(
        "--against",
        type=bounded(_base_url),
        metavar="URL",
        help="measure this one in turns with it, and compare pair by pair",
    )
    other.add_argument(
        "--against-model", metavar="MODEL", help="its name for the model (MODEL)"
    )
    other.add_argument("--against-key", metavar="KEY", help="its key (none is sent)")
    results = parser.add_argument_group("results")
    results.add_argument(
        "--json",
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help="all figures as JSON: to FILE, or instead of the tables",
    )
    results.add_argument(
        "--note",
        type=bounded(_note),
        default="",
        metavar="TEXT",
        help="what the run is called in the admin",
    )
    results.add_argument(
        "--no-keep", action="store_true", help="do not keep the run in the database"
    )


def plan_of(options: dict[str, Any]) -> BenchPlan:
    """Return the plan that the options describe.

    Raises:
        PlanError: a round has too few requests for its level, or the figures have
            no folder to go to.
    """
    most = max(options["concurrency"])
    if options["requests"] and options["requests"] < most:
        raise PlanError(
            f"--requests {options['requests']} is too few for --concurrency {most}"
        )
    file = options["json"]
    if file and file != STDOUT and not Path(file).resolve().parent.is_dir():
        raise PlanError(f"--json {file}: there is no such folder")
    rounds = ROUNDS_AGAINST if options["against"] else ROUNDS.default
    return BenchPlan(
        levels=options["concurrency"],
        requests=options["requests"],
        rounds=options["rounds"] or rounds,
        max_tokens=options["max_tokens"] or MAX_TOKENS.default,
        timeout_s=options["timeout"],
    )


def levels(text: str) -> tuple[int, ...]:
    """Return the numbers of a comma-separated list, each once.

    Raises:
        ValueError: with words that follow "--concurrency: ".
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    found = tuple(dict.fromkeys(map(CONCURRENCY.parse, parts)))
    if not 1 <= len(found) <= MOST_LEVELS:
        raise ValueError(f"must be 1 to {MOST_LEVELS} numbers, such as 1,8,32")
    return found


def _number(
    group: argparse._ActionsContainer, name: str, bounds: Whole, words: str
) -> None:
    parse: Callable[[str], float] = bounded(bounds.parse)
    group.add_argument(name, type=parse, metavar="N", help=words.format(bounds.default))


def _base_url(text: str) -> str:
    try:
        return read_base_url(text)
    except AddressError as error:
        raise ValueError(str(error)) from None


def _note(text: str) -> str:
    if len(text) > NOTE_LENGTH:
        raise ValueError(f"must be {NOTE_LENGTH} characters at most")
    return text
