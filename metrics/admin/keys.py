"""The page of keys: what each was used for, out of the sums over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.template.response import TemplateResponse

from metrics.links import history_link, list_link
from metrics.usage import UsageRow, UsageSpan, last_seen_keys, usage_by_key

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest

SPANS = {"24": UsageSpan.day, "168": UsageSpan.week}


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key and its figures; `usage` is `None` where the span has none."""

    name: str
    usage: UsageRow | None
    last_day: datetime | None

    @property
    def requests_link(self) -> str:
        """Where its requests are."""
        return list_link(self.usage.selection(key=self.name)) if self.usage else ""

    @property
    def errors_link(self) -> str:
        """Where those that ended badly are."""
        if self.usage is None:
            return ""
        return list_link(self.usage.error_selection(key=self.name))

    @property
    def history_link(self) -> str:
        """Where its charts are."""
        return history_link(self.usage.selection(key=self.name)) if self.usage else ""


def keys_page(request: HttpRequest, context: dict[str, Any]) -> TemplateResponse:
    """Show every key that was ever used, the busiest first."""
    hours = request.GET.get("hours", "24")
    span = SPANS.get(hours, UsageSpan.day)()
    usages = usage_by_key(span)
    days = last_seen_keys()
    idle = sorted(set(days) - set(usages))
    lines = [
        KeyLine(name, usages.get(name), days.get(name)) for name in [*usages, *idle]
    ]
    shown = {"title": "Keys", "lines": lines, "span": span, "spans": _spans(span)}
    return TemplateResponse(request, "admin/metrics/keys.html", context | shown)


def _spans(chosen: UsageSpan) -> list[tuple[str, str, bool]]:
    return [
        (hours, span.label, span.label == chosen.label)
        for hours, make in SPANS.items()
        for span in [make()]
    ]
