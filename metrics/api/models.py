"""GET /api/models: the models as they are at this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.response import Response

from inference.core.errors import ModelUnavailableError
from inference.runtime.app import current_app
from metrics.api.replies import list_body
from metrics.api.views import ReadView
from metrics.serializers import ModelCardSerializer

if TYPE_CHECKING:
    from rest_framework.request import Request

    from inference.core.catalog import ModelCard

PATIENCE_S = 10.0


class ModelList(ReadView):
    """The models that a request may name, in memory or not."""

    summary = "The models as they are at this moment."
    staff_permissions = ("inference.view_modelentry",)
    serializer_class = ModelCardSerializer
    is_list = True

    def get(self, request: Request) -> Response:
        """Return all of them: there are never many."""
        data = [ModelCardSerializer(card).data for card in _cards()]
        return Response(list_body(data, None))


def _cards() -> tuple[ModelCard, ...]:
    """Ask the service, on the loop that it lives on."""
    app = current_app()
    try:
        return app.begin(app.service.known_cards).result(PATIENCE_S)
    except TimeoutError:
        raise ModelUnavailableError("The server did not answer in time.") from None
