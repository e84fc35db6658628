"""The list of benchmarks with their charts, and the page of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.forms.widgets import Script
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from metrics.admin.bench_detail import bench_detail, chart_of, measured_at, median_ratio
from metrics.admin.read_only import ReadOnly, figure_cell, time_cell
from metrics.figures import NOTHING, rate_text, seconds_text
from metrics.models import BenchRun

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString


class TimeFilter(admin.DateFieldListFilter):
    """When it began."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "time"


class ComparedFilter(admin.SimpleListFilter):
    """Whether a second server was measured along."""

    title = "second server"
    parameter_name = "against"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer yes and no."""
        return [("yes", "with"), ("no", "without")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the runs of the chosen kind."""
        if self.value() == "yes":
            return queryset.exclude(against_url="")
        if self.value() == "no":
            return queryset.filter(against_url="")
        return queryset


@admin.register(BenchRun)
class BenchRunAdmin(ReadOnly):
    """What `mlx-server bench` measured; the ticked runs are charted together."""

    list_display = (
        *("moment", "model", "best", "first_token", "between", "ratio", "failed"),
        *("called", "node"),
    )
    list_display_links = ("moment",)
    list_filter = (
        ("model", admin.AllValuesFieldListFilter),
        ComparedFilter,
        ("node", admin.AllValuesFieldListFilter),
        ("at", TimeFilter),
    )
    search_fields = ("model", "note", "against_model", "against_url")
    search_help_text = "Model, note, or the other server"
    sortable_by = ()
    ordering = ("-at", "-id")
    fields = ("at",)
    actions = ("compare",)
    change_list_template = "admin/metrics/benchrun/change_list.html"
    change_form_template = "admin/metrics/benchrun/change_form.html"

    class Media:
        js = [
            Script("metrics/vendor/uplot/uPlot.iife.min.js", defer=True),
            Script("metrics/ui.js", defer=True),
            Script("metrics/bench_chart.js", defer=True),
            Script("metrics/bench.js", defer=True),
        ]
        css = {
            "all": (
                "metrics/vendor/uplot/uPlot.min.css",
                "metrics/history.css",
                "metrics/bench.css",
            )
        }

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff who may delete benchmarks may: nothing else depends on them."""
        may = f"{self.opts.app_label}.delete_{self.opts.model_name}"
        return bool(request.user.has_perm(may))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add the figures of the page's runs, for the charts."""
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data:
            listed = response.context_data.get("cl")
            runs = listed.result_list if listed is not None else ()
            response.context_data["runs"] = [chart_of(run) for run in runs]
        return response

    @admin.action(description="Compare in the charts", permissions=["view"])
    def compare(self, request: HttpRequest, queryset: QuerySet[BenchRun]) -> Any:
        """Come back with the ticked runs chosen; scripts do so without asking."""
        keys = ",".join(str(key) for key in queryset.values_list("pk", flat=True))
        here = reverse("admin:metrics_benchrun_changelist")
        query = request.GET.urlencode()
        return HttpResponseRedirect(f"{here}{'?' if query else ''}{query}#runs={keys}")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show the figures instead of a form."""
        context |= bench_detail(context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Began", ordering="at")
    def moment(self, row: BenchRun) -> SafeString:
        """When it began."""
        return time_cell(row.at)

    @admin.display(description="tok/s")
    def best(self, row: BenchRun) -> SafeString:
        """The most that all streams together reached, and with how many of them."""
        level = max(row.levels, key=lambda one: one["tokens_per_s"], default=None)
        if level is None:
            return figure_cell(NOTHING)
        return measured_at(rate_text(level["tokens_per_s"]), level)

    @admin.display(description="First token")
    def first_token(self, row: BenchRun) -> SafeString:
        """Its median at the lowest concurrency."""
        return _median_cell(row, "ttft")

    @admin.display(description="Between tokens")
    def between(self, row: BenchRun) -> SafeString:
        """Its median at the lowest concurrency."""
        return _median_cell(row, "inter_token")

    @admin.display(description="Against")
    def ratio(self, row: BenchRun) -> SafeString:
        """The ratio of tok/s to the other server at the highest concurrency."""
        if not row.ratios:
            return figure_cell(NOTHING)
        level = max(row.ratios, key=lambda one: one["concurrency"])
        return format_html(
            '<span title="{}">{}</span>',
            f"tok/s against {row.against_url}",
            measured_at(median_ratio(level["tokens_per_s"]), level),
        )

    @admin.display(description="Errors")
    def failed(self, row: BenchRun) -> SafeString:
        """How many requests failed."""
        return figure_cell(f"{row.errors:,}" if row.errors else NOTHING)

    @admin.display(description="Note")
    def called(self, row: BenchRun) -> SafeString:
        """What the run was called."""
        return figure_cell(row.note or NOTHING)


def _median_cell(row: BenchRun, name: str) -> SafeString:
    level = min(row.levels, key=lambda one: one["concurrency"], default=None)
    if level is None or level[name] is None:
        return figure_cell(NOTHING)
    return measured_at(seconds_text(level[name]["p50"]), level)
