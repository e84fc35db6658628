"""Embeddings and rankings on their way: seats, refusals, deadlines, ends."""

from __future__ import annotations

import asyncio

import pytest

from inference.core.encoding import Embed, EncoderTraits, Rerank
from inference.core.errors import CancelledByStaffError, ModelUnloadedError
from inference.core.outcomes import Operation
from inference.core.requests import TextPrompt
from tests.runtime.cast import ENDLESS, serving, source
from tests.runtime.fake_worker import Conduct

pytestmark = pytest.mark.looptime

VECTORS = EncoderTraits(width=2)
SCORES = EncoderTraits(width=1, scores=True)


def embed(*said: str, dimensions: int | None = None) -> Embed:
    inputs = tuple(TextPrompt(text) for text in said or ("Hello",))
    return Embed(inputs=inputs, dimensions=dimensions)


def encoder(**conduct: object) -> dict[str, object]:
    return {"conduct": Conduct(**{"traits": VECTORS} | conduct)}


ENCODER = source("enc", kind="encoder")


async def test_it_takes_a_seat_and_gives_all_back() -> None:
    async with serving(ENCODER, **encoder(prompt_tokens=21)) as stage:
        row = await stage.encode("enc", embed()).row()
        assert (row.outcome, row.phase, row.admitted) == ("finished", "prefill", True)
        assert (row.prompt_tokens, row.completion_tokens) == (21, None)
        assert (row.model, row.kind, row.tps, row.prefill_s) == ("enc", "", None, 1.0)
        stage.assert_all_given_back()


async def test_who_finds_no_seat_waits_in_line_and_no_longer_than_it_may() -> None:
    conduct = encoder(prefill_s=30)
    config = {"max_concurrency": 1, "queue_size": 1, "queue_timeout_s": 40}
    async with serving(ENCODER, **conduct, **config) as stage:
        first, second = stage.encode("enc", embed()), stage.encode("enc", embed())
        await asyncio.sleep(1)
        refused = stage.encode("enc", embed())
        assert (await refused.end())[:2] == ("rejected", "queue_full")
        assert second.phase == "queued"
        assert (await first.end())[0] == "finished"
        third = stage.encode("enc", embed())
        assert (await second.end())[0] == "finished"
        assert (await third.end())[0] == "finished"
        stage.assert_all_given_back()


@pytest.mark.parametrize(
    ("after_s", "phase"), [(1, "prepare"), (11, "prefill"), (9, "prepare")]
)
async def test_a_client_that_hangs_up_leaves_nothing(
    after_s: float, phase: str
) -> None:
    async with serving(ENCODER, **encoder(prepare_s=10, prefill_s=50)) as stage:
        asked = stage.encode("enc", embed())
        await asyncio.sleep(after_s)
        end = await asked.hang_up()
        assert (end[0], end[2]) == ("cancelled", phase)
        stage.assert_all_given_back()


async def test_a_client_that_hangs_up_in_line_lets_the_next_one_go_on() -> None:
    async with serving(ENCODER, **encoder(prefill_s=50), max_concurrency=1) as stage:
        first, second, third = (stage.encode("enc", embed()) for _ in range(3))
        await asyncio.sleep(10)
        assert (await second.hang_up())[2] == "queued"
        assert (await first.row()).outcome == "finished"
        assert (await third.row()).total_s == 100.0
        stage.assert_all_given_back()


async def test_no_request_takes_longer_than_the_server_allows() -> None:
    conduct = encoder(prepare_s=5, prefill_s=50)
    async with serving(ENCODER, **conduct, request_timeout_s=20.0) as stage:
        late = await stage.encode("enc", embed()).row()
        assert (late.outcome, late.reason) == ("timed_out", "request_timeout")
        assert late.total_s == 20.0
        stage.assert_all_given_back()


async def test_staff_ends_one_and_an_unload_by_force_all() -> None:
    async with serving(ENCODER, **encoder(prefill_s=50)) as stage:
        asked = stage.encode("enc", embed())
        asked.trace.operation = Operation.EMBEDDINGS
        await asyncio.sleep(1)
        assert stage.running.cancel(asked.trace.request_id, by="staff")
        assert (await asked.row()).reason == CancelledByStaffError.code
        other = stage.encode("enc", embed())
        await asyncio.sleep(1)
        await stage.service.unload("enc", force=True)
        assert (await other.row()).reason == ModelUnloadedError.code
        again = stage.encode("enc", embed())
        assert (await again.row()).outcome == "finished"
        stage.assert_all_given_back()


async def test_a_worker_that_dies_takes_its_encodings_with_it() -> None:
    async with serving(ENCODER, **encoder(prefill_s=50)) as stage:
        asked = stage.encode("enc", embed())
        await asyncio.sleep(1)
        stage.workers.of("enc").die("killed")
        row = await asked.row()
        assert (row.outcome, row.reason) == ("failed", "worker_died")
        assert (await stage.encode("enc", embed()).row()).outcome == "finished"
        stage.assert_all_given_back()


async def test_a_drain_lets_them_end() -> None:
    async with serving(ENCODER, **encoder(prefill_s=50)) as stage:
        asked = stage.encode("enc", embed())
        await asyncio.sleep(1)
        await stage.service.drain(100.0, hurry=asyncio.Event())
        assert (await asked.row()).outcome == "finished"
        refused = await stage.encode("enc", embed()).row()
        assert refused.reason == "shutting_down"


@pytest.mark.parametrize(
    ("traits", "work", "param", "code"),
    [
        (VECTORS, embed(dimensions=1), "dimensions", "unsupported_parameter"),
        (SCORES, embed(), "model", "unsupported_model"),
        (VECTORS, embed("a", "b", "odd"), "input[2]", "invalid_value"),
        (VECTORS, Rerank(query="a", documents=("b", "odd")), "documents[1]", None),
        (VECTORS, Rerank(query="odd", documents=("b",)), "query", None),
    ],
)
async def test_what_cannot_be_encoded_is_refused_by_name(
    traits: EncoderTraits, work: Embed | Rerank, param: str, code: str | None
) -> None:
    async with serving(ENCODER, **encoder(traits=traits, unread=("odd",))) as stage:
        row = await stage.encode("enc", work).row()
        assert (row.outcome, row.error_param) == ("invalid", param)
        assert row.http_status == 400
        assert row.reason == (code or "invalid_value")
        stage.assert_all_given_back()


async def test_inputs_of_too_many_tokens_together_are_refused() -> None:
    async with serving(ENCODER, **encoder(prompt_tokens=300_001)) as stage:
        row = await stage.encode("enc", embed()).row()
        assert (row.reason, row.refusal["prompt_tokens"]) == (
            "too_many_tokens",
            300_001,
        )
        stage.assert_all_given_back()


async def test_each_kind_of_model_refuses_the_others_work_unloaded() -> None:
    async with serving("chat", ENCODER, **encoder()) as stage:
        await stage.service.unload("chat")
        await stage.service.unload("enc")
        for asked in (stage.encode("chat", embed()), stage.ask("enc", tokens=1)):
            row = await asked.row()
            assert (row.reason, row.error_param) == ("unsupported_model", "model")
        assert {stage.state("chat"), stage.state("enc")} == {"unloaded"}


async def test_a_text_model_encodes_beside_its_answers_where_it_is_said() -> None:
    chat = source("chat", embeddings=True)
    async with serving(chat, **encoder()) as stage:
        busy = stage.ask("chat", tokens=ENDLESS)
        await asyncio.sleep(10)
        assert (await stage.encode("chat", embed()).row()).outcome == "finished"
        await busy.hang_up()
        await stage.service.unload("chat")
        stage.workers.let("chat", traits=None)
        row = await stage.encode("chat", embed()).row()
        assert row.reason == "unsupported_model"


async def test_a_ranking_by_vectors_says_so_in_its_row() -> None:
    work = Rerank(query="a", documents=("b",))
    async with serving(ENCODER, **encoder()) as stage:
        row = await stage.encode("enc", work).row()
        assert "no cross-encoder" in row.warnings[0]
        stage.workers.let("enc", traits=SCORES)
        await stage.service.unload("enc")
        assert (await stage.encode("enc", work).row()).warnings == ()


async def test_what_nobody_uses_is_evicted_for_an_encoder_and_the_other_way_round() -> (
    None
):
    chat = source("chat", 300)
    budget = {"memory_budget_bytes": 500}
    async with serving(chat, **encoder(), **budget) as stage:
        await stage.load("enc", 300, kind="encoder")
        assert (stage.state("chat"), stage.state("enc")) == ("unloaded", "ready")
        assert stage.card("enc").kind == "encoder"
        await stage.ask("chat", tokens=1).row()
        assert (stage.state("chat"), stage.state("enc")) == ("ready", "unloaded")
