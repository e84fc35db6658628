"""`{% model_usage key %}`: what a model was used for, on its own page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import reverse

from metrics.links import history_link, list_link
from metrics.usage import UsageSpan, usage_of_model

register = template.Library()


@register.inclusion_tag("metrics/model_usage.html")
def model_usage(key: str) -> dict[str, Any]:
    """Show its last day and week, with links to the requests behind each figure."""
    usages = [usage_of_model(key, span) for span in (UsageSpan.day(), UsageSpan.week())]
    events = reverse("admin:metrics_servereventlog_changelist")
    return {
        "events_link": f"{events}?{urlencode({'model': key})}",
        "history_link": history_link(usages[-1].selection(model=key)),
        "lines": [
            {
                "usage": usage,
                "requests_link": list_link(usage.selection(model=key)),
                "errors_link": list_link(usage.error_selection(model=key)),
            }
            for usage in usages
        ],
    }
