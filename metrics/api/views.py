"""The base of the views under `/api/`: who may read, and which parameters there are."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rest_framework.authentication import SessionAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from inference.core.errors import NotFoundError
from inference.runtime.app import current_app
from metrics.api.errors import answer_error
from metrics.selection.parameters import check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.serializers import Serializer

    from metrics.selection.parameters import QueryParameter


class StaffOrKey(BasePermission):
    """Staff who may see the rows in the admin, or who the server's key lets in."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Let the caller in, or refuse by raising."""
        assert isinstance(view, ReadView)
        user = request.user
        if user.is_active and user.is_staff and user.has_perms(view.staff_permissions):
            return True
        client_host = str(request.META.get("REMOTE_ADDR") or "")
        current_app().readers.admit(request.headers, client_host=client_host)
        return True


class AnyAccept(BaseContentNegotiation):
    """Answers JSON, whatever is asked for."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Nothing is parsed."""
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[Any, str]:
        """Return the only one there is."""
        return renderers[0], renderers[0].media_type


class ReadView(APIView):
    """A view that is read with the query parameters in `parameters`, and no others.

    `summary` and `answer` are what the OpenAPI document says of it: `answer` is the
    JSON schema where there is no serializer, and the further properties of a list.
    """

    http_method_names = ["get", "head"]
    authentication_classes = [SessionAuthentication]
    permission_classes = [StaffOrKey]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AnyAccept

    staff_permissions: tuple[str, ...] = ()
    parameters: tuple[QueryParameter, ...] = ()
    summary: str = ""
    serializer_class: type[Serializer[Any]] | None = None
    is_list = False
    answer: Mapping[str, Any] = MappingProxyType({})

    def get_exception_handler(self) -> Callable[..., Any]:
        """Answer errors in OpenAI's shape."""
        return answer_error

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the caller, then the names of the parameters."""
        super().initial(request, *args, **kwargs)
        check_names(request.GET, {each.name for each in self.parameters})


class UnknownPath(ReadView):
    """Paths under `/api/` that do not exist."""

    schema = None  # Not in the OpenAPI document.

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse whoever has the right to know that, as any other path would."""
        super(ReadView, self).initial(request, *args, **kwargs)
        raise NotFoundError(
            f"Unknown request URL: {request.path[:200]}. /api/docs lists what is here.",
            code="unknown_url",
        )

    def get(self, request: Request, **_route: Any) -> Response:
        """Exist, so that the refusal is a 404 and no 405."""
        raise AssertionError("refused before")
