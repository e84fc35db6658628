"""What a request leaves open is filled: request, then model, then server."""

from __future__ import annotations

from inference.core.requests import SamplingRequest, SamplingSpec
from inference.runtime.sampling import to_sampling_spec


def resolve(asked: SamplingRequest, room: int = 1000, **model: float) -> SamplingSpec:
    return to_sampling_spec(
        asked, model_defaults=model, default_max_tokens=256, room_tokens=room
    )


def test_it_takes_the_requests_word_first() -> None:
    spec = resolve(SamplingRequest(temperature=0.0, top_k=5), temperature=0.6, top_k=20)
    assert (spec.temperature, spec.top_k) == (0.0, 5)


def test_it_takes_the_models_defaults_next() -> None:
    spec = resolve(SamplingRequest(), temperature=0.6, top_p=0.9, max_tokens=32)
    assert (spec.temperature, spec.top_p, spec.max_tokens) == (0.6, 0.9, 32)


def test_it_falls_back_to_the_servers_defaults() -> None:
    assert resolve(SamplingRequest()) == SamplingSpec(
        temperature=1.0, top_p=1.0, top_k=0, min_p=0.0, max_tokens=256
    )


def test_it_cuts_the_answer_to_what_the_context_leaves() -> None:
    assert resolve(SamplingRequest(max_tokens=500), room=12).max_tokens == 12
    assert resolve(SamplingRequest(), room=12).max_tokens == 12
