"""Models and keys show what they were used for, and lead to the requests behind it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone

from inference.models import ModelEntry
from metrics import histograms
from metrics.models import RequestLog, Rollup, RollupLevel
from metrics.selection import Selection
from metrics.usage import UsageSpan, usage_by_key, usage_of_model
from tests.metrics.cast import ended, started

if TYPE_CHECKING:
    from django.test import Client

KEYS = reverse("admin:metrics_keys")


def summed(level: RollupLevel, ago: timedelta, **changes: Any) -> Rollup:
    values: dict[str, Any] = {
        "boot_id": "boot",
        "model": "tiny",
        "requests": 10,
        "finished": 7,
        "failed": 2,
        "cancelled": 1,
        "prompt_tokens": 1000,
        "cached_tokens": 250,
        "completion_tokens": 500,
        "busy_s": 10.0,
        "ttft": histograms.counted([0.2] * 10, histograms.TTFT_S),
    }
    at = level.start_of(timezone.now() - ago)
    return Rollup.objects.create(level=level, at=at, **(values | changes))


@pytest.mark.usefixtures("database")
class TestSums:
    """Out of the table of sums, on each kind of database."""

    def test_a_day_comes_from_hours_and_a_week_from_days(self) -> None:
        summed(RollupLevel.HOUR, timedelta(hours=1))
        summed(RollupLevel.HOUR, timedelta(hours=23), boot_id="other")
        summed(RollupLevel.HOUR, timedelta(hours=26))
        summed(RollupLevel.DAY, timedelta(days=6), requests=99, failed=0)
        summed(RollupLevel.DAY, timedelta(days=9))
        summed(RollupLevel.HOUR, timedelta(hours=1), model="other")
        day, week = (
            usage_of_model("tiny", one()) for one in (UsageSpan.day, UsageSpan.week)
        )
        assert (day.requests, day.errors, week.requests) == (20, 4, 99)
        assert day.errors_text == "4, 20 %"
        assert day.tokens_text == "2,000 → 1,000"
        assert day.cached_text == "25 %"
        assert day.rate_text == "50.0"
        assert day.ttft_text == "175 ms / 242 ms"
        assert week.errors_text == "0"

    def test_the_links_lead_to_just_those_requests(self) -> None:
        span = UsageSpan.day()
        at = span.since.timestamp()
        for name, offset_s in (("before", -1.0), ("first", 0.0), ("last", 3600.0)):
            record = started(request_id=name, started_at=at + offset_s)
            RequestLog.from_record(ended(record)).save()
        usage = usage_of_model("tiny", span)
        params = usage.selection(model="tiny").to_params()
        rows = Selection.parse(params).apply(RequestLog.objects.all())
        assert {row.request_id for row in rows} == {"first", "last"}

    def test_keys_come_with_the_busiest_first(self) -> None:
        summed(RollupLevel.HOUR, timedelta(hours=1), key_name="little", requests=1)
        summed(RollupLevel.HOUR, timedelta(hours=2), key_name="much")
        summed(RollupLevel.HOUR, timedelta(hours=1), key_name="much", model="other")
        usages = usage_by_key(UsageSpan.day())
        assert list(usages) == ["much", "little"]
        assert usages["much"].model_names == "other, tiny"


@pytest.mark.django_db
class TestPages:
    """Where staff see it."""

    def test_the_page_of_keys_lists_idle_ones_too(self, admin_client: Client) -> None:
        summed(RollupLevel.HOUR, timedelta(hours=1), key_name="<b>ci</b>")
        summed(RollupLevel.DAY, timedelta(days=3), key_name="laptop", requests=5)
        text = admin_client.get(KEYS).content.decode()
        assert "&lt;b&gt;ci&lt;/b&gt;" in text
        assert "laptop" in text
        assert "from=" in text
        week = admin_client.get(KEYS, {"hours": "168"}).content.decode()
        assert ">5</a>" in week
        assert ">5</a>" not in text

    def test_keys_take_no_more_queries_when_there_are_more(
        self, admin_client: Client, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(40):
            summed(RollupLevel.HOUR, timedelta(hours=1), key_name=f"key {number}")
        with django_assert_max_num_queries(4):
            admin_client.get(KEYS)

    def test_without_any_key_it_says_what_will_appear(
        self, admin_client: Client
    ) -> None:
        text = admin_client.get(KEYS).content.decode()
        assert "each key appears here with its first request" in text

    def test_the_page_of_a_model_shows_its_day_and_week(
        self, admin_client: Client
    ) -> None:
        entry = ModelEntry.objects.create(key="tiny", source="somewhere")
        summed(RollupLevel.HOUR, timedelta(hours=1), requests=31)
        summed(RollupLevel.DAY, timedelta(days=2), requests=77)
        url = reverse("admin:inference_modelentry_change", args=[entry.pk])
        text = admin_client.get(url).content.decode()
        assert "Last 24 hours" in text
        assert ">31</a>" in text
        assert ">77</a>" in text
        assert "model=tiny" in text
