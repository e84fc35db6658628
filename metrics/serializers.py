"""Rows and live models as JSON for `/api/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import serializers

from inference.core.outcomes import ModelState
from metrics import histograms
from metrics.models import RequestLog, Rollup, ServerEventLog

if TYPE_CHECKING:
    from inference.core.catalog import ModelCard

# Only in the detail of a request: a list would mostly consist of them.
LARGE_COLUMNS = ("params", "defaults", "refusal")

BOUNDS = {
    "ttft": histograms.TTFT_S,
    "inter_token": histograms.INTER_TOKEN_S,
    "total": histograms.TOTAL_S,
    "queue": histograms.TOTAL_S,
}
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

if TYPE_CHECKING:
    _Requests = serializers.ModelSerializer[RequestLog]
    _Rollups = serializers.ModelSerializer[Rollup]
    _Events = serializers.ModelSerializer[ServerEventLog]
    _Cards = serializers.Serializer[ModelCard]
else:
    _Requests = _Rollups = _Events = serializers.ModelSerializer
    _Cards = serializers.Serializer


class RequestSerializer(_Requests):
    """One request as a list shows it; times in seconds."""

    class Meta:
        model = RequestLog
        exclude: ClassVar = ["id", *LARGE_COLUMNS]


class RequestDetailSerializer(_Requests):
    """Everything the record knows of a request."""

    class Meta:
        model = RequestLog
        exclude: ClassVar = ["id"]


class RollupSerializer(_Rollups):
    """The requests that began in one span, with quantiles of their times."""

    quantiles = serializers.SerializerMethodField()

    class Meta:
        model = Rollup
        exclude: ClassVar = ["id"]

    def get_quantiles(self, rollup: Rollup) -> dict[str, dict[str, float | None]]:
        """Return the quantiles of each histogram."""
        return {
            name: {
                word: histograms.quantile(getattr(rollup, name), bounds, share)
                for word, share in QUANTILES.items()
            }
            for name, bounds in BOUNDS.items()
        }


class EventSerializer(_Events):
    """Something that happened to the server or a model."""

    class Meta:
        model = ServerEventLog
        exclude: ClassVar = ["id"]


class ModelCardSerializer(_Cards):
    """A model as it is now; sizes in bytes, times of day in Unix seconds."""

    key = serializers.CharField()
    source = serializers.SerializerMethodField()  # type: ignore[assignment]
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=[state.value for state in ModelState])
    context_length = serializers.IntegerField(allow_null=True)
    size_bytes = serializers.IntegerField(allow_null=True)
    memory_bytes = serializers.IntegerField(allow_null=True)
    loaded_at = serializers.FloatField(allow_null=True)
    last_used_at = serializers.FloatField(allow_null=True)
    load_s = serializers.FloatField(allow_null=True)
    max_concurrency = serializers.IntegerField()
    active = serializers.IntegerField(help_text="Seats that are taken.")
    waiting = serializers.IntegerField(help_text="Requests in line for a seat.")
    in_use = serializers.IntegerField(help_text="Requests that hold it.")
    restarts = serializers.IntegerField()
    error = serializers.CharField()
    capabilities = serializers.ListField(child=serializers.CharField())
    dialect = serializers.CharField(help_text="How it calls tools; empty: not known.")
    notes = serializers.ListField(child=serializers.CharField())
    pinned = serializers.BooleanField()
    ttl_s = serializers.FloatField(allow_null=True)
    progress = serializers.FloatField(allow_null=True)
    computes_on = serializers.CharField(help_text="Its device; on a CPU with the BLAS.")

    def get_source(self, card: ModelCard) -> str | None:
        """Return where it came from, unless that is a folder."""
        return None if Path(card.source).is_absolute() else card.source

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Show a value's plain form."""
        shown: dict[str, Any] = super().to_representation(instance)
        return shown
