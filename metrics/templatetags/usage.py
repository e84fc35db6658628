"""`{% model_usage key %}`: what a model was used for, on its own page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import reverse

from metrics.usage import Span, usage_of_model

register = template.Library()


@register.inclusion_tag("metrics/model_usage.html")
def model_usage(key: str) -> dict[str, Any]:
    """Show its last day and week, with links to the requests behind each figure."""
    listed = reverse("admin:metrics_requestlog_changelist")
    usages = [usage_of_model(key, span) for span in (Span.day(), Span.week())]
    events = reverse("admin:metrics_servereventlog_changelist")
    return {
        "key": key,
        "events_link": f"{events}?{urlencode({'model': key})}",
        "lines": [
            {
                "usage": usage,
                "requests_link": f"{listed}?{urlencode(chosen.to_params())}",
                "errors_link": f"{listed}?{urlencode(bad.to_params())}",
            }
            for usage in usages
            for chosen in [usage.selection(model=key)]
            for bad in [usage.error_selection(model=key)]
        ],
    }
