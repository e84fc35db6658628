"""Features of images that are kept: bounded, the newest longest."""

from __future__ import annotations

import mlx.core as mx

from inference.engine.caches.features import FeatureCache, ImageFeatures


def features(rows: int) -> ImageFeatures:
    """Return features of `rows` times 100 bytes."""
    return ImageFeatures(mx.zeros((rows, 25)))


def test_it_gives_an_images_features_back() -> None:
    kept = FeatureCache(1000)
    red = features(2)
    kept.put("red", red)
    assert kept.get("red") is red
    assert kept.get("blue") is None
    assert kept.held_bytes == 200


def test_it_lets_go_of_what_was_not_asked_for_longest() -> None:
    kept = FeatureCache(1000)
    for key in ("red", "blue", "green"):
        kept.put(key, features(3))
    assert kept.get("red") is not None
    kept.put("pink", features(3))
    assert kept.get("blue") is None
    assert kept.get("red") is not None
    assert len(kept) == 3
    assert kept.held_bytes == 900


def test_it_counts_what_deeper_layers_add() -> None:
    kept = FeatureCache(1000)
    kept.put("red", ImageFeatures(mx.zeros((1, 25)), (mx.zeros((1, 25)),) * 2))
    assert kept.held_bytes == 300


def test_it_replaces_features_without_counting_them_twice() -> None:
    kept = FeatureCache(1000)
    kept.put("red", features(3))
    kept.put("red", features(4))
    assert kept.held_bytes == 400


def test_it_does_not_push_out_others_for_what_does_not_fit() -> None:
    kept = FeatureCache(1000)
    kept.put("red", features(3))
    kept.put("blue", features(11))
    assert kept.get("blue") is None
    assert kept.get("red") is not None


def test_it_forgets_all_when_memory_is_needed() -> None:
    kept = FeatureCache(1000)
    kept.put("red", features(3))
    kept.clear()
    assert kept.get("red") is None
    assert kept.held_bytes == 0
