"""Errors that know their public face: code, HTTP status, outcome.

Raise them anywhere; `inference.core.error_bodies` turns them into a body once.
Codes follow OpenAI's where OpenAI has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from inference.core.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping


class InferenceError(Exception):
    """Base of everything a client may be told.

    `message` is shown to the client as it is; `param` names the request field
    at fault, as a path (`messages[1].content`). `figures` are those behind a
    refusal (bytes, tokens, places), for the record; `retry_after_s` is when to
    come back, where more is known than of its kind of error.
    """

    code: str = "internal_error"
    http_status: ClassVar[int] = 500
    error_type: ClassVar[str] = "server_error"
    outcome: ClassVar[Outcome] = Outcome.FAILED
    retry_after_s: int | None = None
    detail: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        figures: Mapping[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.figures: Mapping[str, Any] = figures or {}
        if code is not None:
            self.code = code
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


class InvalidRequestError(InferenceError):
    """The request cannot be honoured as it is; the client must change it."""

    code = "invalid_value"
    http_status = 400
    error_type = "invalid_request_error"
    outcome = Outcome.INVALID


class UnsupportedParameterError(InvalidRequestError):
    """A known parameter that this server or this model does not honour."""

    code = "unsupported_parameter"


class ContextLengthExceededError(InvalidRequestError):
    """The prompt leaves no room for an answer in the model's context."""

    code = "context_length_exceeded"


class VisionNotSupportedError(InvalidRequestError):
    """An image was sent to a model that reads text only."""

    code = "vision_not_supported"


class WrongModelKindError(InvalidRequestError):
    """The model is known, and not made for what is asked of it."""

    code = "unsupported_model"


class InvalidImageError(InvalidRequestError):
    """What was sent as an image is none that can be read."""

    code = "invalid_image"


class ImageTooLargeError(InvalidRequestError):
    """An image, or all of a request, has more bytes or pixels than are read."""

    code = "image_too_large"


class TooManyImagesError(InvalidRequestError):
    """A request carries more images than the server or the model takes."""

    code = "too_many_images"


class ImageUrlNotAllowedError(InvalidRequestError):
    """An image's URL leads where this server does not go."""

    code = "image_url_not_allowed"


class ImageFetchError(InvalidRequestError):
    """An image could not be fetched from where its URL leads."""

    code = "image_fetch_failed"


class GrammarExhaustedError(InvalidRequestError):
    """In the middle of an answer its grammar became too much work to follow."""

    code = "grammar_exhausted"


class GrammarCheckError(InferenceError):
    """Whether a grammar can be honoured could not be found out."""

    code = "grammar_check_failed"
    http_status = 503
    error_type = "server_error"
    outcome = Outcome.FAILED
    retry_after_s = 30


class StoreUnavailableError(InferenceError):
    """What is kept of responses cannot be read or written at present."""

    code = "store_unavailable"
    http_status = 503
    retry_after_s = 5


class ResponseTooLargeError(InferenceError):
    """A response or an item has more bytes than the server keeps."""

    code = "response_too_large"
    http_status = 413
    error_type = "invalid_request_error"
    outcome = Outcome.INVALID


class AuthenticationError(InferenceError):
    """No key, or a key that is not known."""

    code = "invalid_api_key"
    http_status = 401
    error_type = "authentication_error"
    outcome = Outcome.REJECTED


class ForbiddenError(InferenceError):
    """Known, but not allowed."""

    code = "forbidden"
    http_status = 403
    error_type = "permission_error"
    outcome = Outcome.REJECTED


class NotFoundError(InferenceError):
    """No such path or object."""

    code = "not_found"
    http_status = 404
    error_type = "invalid_request_error"
    outcome = Outcome.INVALID


class ModelNotFoundError(NotFoundError):
    """The request names a model that is not served here."""

    code = "model_not_found"


class MethodNotAllowedError(InferenceError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    http_status = 405
    error_type = "invalid_request_error"
    outcome = Outcome.INVALID


class BodyTooLargeError(InferenceError):
    """More bytes than the server takes."""

    code = "request_too_large"
    http_status = 413
    error_type = "invalid_request_error"
    outcome = Outcome.INVALID


class ReadDeadlineError(InferenceError):
    """The request did not arrive whole within the read deadline."""

    code = "read_deadline"
    http_status = 408
    error_type = "invalid_request_error"
    outcome = Outcome.TIMED_OUT


class TooManyConnectionsError(InferenceError):
    """One client holds more connections than it may."""

    code = "too_many_connections"
    http_status = 429
    error_type = "rate_limit_error"
    outcome = Outcome.REJECTED
    retry_after_s = 1


class UnsupportedMediaTypeError(InferenceError):
    """A body that is not declared as JSON."""

    code = "unsupported_media_type"
    http_status = 415
    error_type = "invalid_request_error"
    outcome = Outcome.INVALID


class QueueFullError(InferenceError):
    """Running and waiting places are taken."""

    code = "queue_full"
    http_status = 429
    error_type = "rate_limit_error"
    outcome = Outcome.REJECTED
    # Where it is a load that is waited for; else it is measured.
    retry_after_s = 5
    # The older server's words; its clients look for them.
    detail = "Too many requests. Service is at capacity."


class QueueTimeoutError(InferenceError):
    """No seat came free within the queue timeout."""

    code = "queue_timeout"
    http_status = 503
    error_type = "server_error"
    outcome = Outcome.TIMED_OUT
    retry_after_s = 5


class RequestTimeoutError(InferenceError):
    """The whole request took longer than the request timeout."""

    code = "request_timeout"
    http_status = 504
    error_type = "server_error"
    outcome = Outcome.TIMED_OUT


class ModelUnavailableError(InferenceError):
    """The model is known but cannot answer now."""

    code = "model_unavailable"
    http_status = 503
    error_type = "server_error"
    outcome = Outcome.FAILED
    retry_after_s: int | None = 5


class ModelQuarantinedError(ModelUnavailableError):
    """The model's worker died too often in a row; somebody has to look."""

    code = "model_quarantined"
    retry_after_s = None


class ModelConflictError(InferenceError):
    """What is asked of a model does not fit its present state."""

    code = "model_conflict"
    http_status = 409
    error_type = "invalid_request_error"
    outcome = Outcome.INVALID


class ModelLoadFailedError(InferenceError):
    """The model's files were found and could not be made into a model."""

    code = "model_load_failed"
    http_status = 500
    error_type = "server_error"
    outcome = Outcome.FAILED


class InsufficientMemoryError(InferenceError):
    """A model or a prompt does not fit into the memory that is left."""

    code = "insufficient_memory"
    http_status = 503
    error_type = "server_error"
    outcome = Outcome.REJECTED
    retry_after_s = 5


class DownloadFailedError(InferenceError):
    """The hub could not be reached, or does not have what was asked for."""

    code = "download_failed"
    http_status = 502
    error_type = "server_error"
    outcome = Outcome.FAILED


class WorkerDiedError(InferenceError):
    """The model's worker process ended while it held this request."""

    code = "worker_died"
    http_status = 503
    error_type = "server_error"
    outcome = Outcome.FAILED
    retry_after_s = 5


class GenerationError(InferenceError):
    """The worker lives, but this sequence failed in it."""

    code = "generation_failed"
    http_status = 500
    error_type = "server_error"
    outcome = Outcome.FAILED


class ClientTooSlowError(InferenceError):
    """The client reads its stream more slowly than the buffer allows."""

    code = "client_too_slow"
    http_status = 503
    error_type = "server_error"
    outcome = Outcome.CANCELLED


class ServerDrainingError(InferenceError):
    """The server is shutting down and takes nothing new."""

    code = "shutting_down"
    http_status = 503
    error_type = "server_error"
    outcome = Outcome.REJECTED
    retry_after_s = 5


class ModelUnloadedError(InferenceError):
    """A live stream was ended because its model was unloaded by force."""

    code = "model_unloaded"
    http_status = 503
    error_type = "server_error"
    outcome = Outcome.INTERRUPTED


class ShutdownInterruptError(InferenceError):
    """A live stream was ended because the drain timeout passed."""

    code = "shutdown"
    http_status = 503
    error_type = "server_error"
    outcome = Outcome.INTERRUPTED


class CancelledRequestError(InferenceError):
    """Somebody with the right to do so ended the request.

    No status that clients try again on their own (408, 409, 429, 5xx): the request
    would be back before its row is read.
    """

    http_status = 499
    error_type = "server_error"
    outcome = Outcome.CANCELLED


class CancelledByClientError(CancelledRequestError):
    """The key that began it took the request back."""

    code = "cancelled_by_client"

    def __init__(self) -> None:
        super().__init__("The request was cancelled with the key that began it.")


class CancelledByStaffError(CancelledRequestError):
    """An administrator ended the request."""

    code = "cancelled_by_staff"

    def __init__(self) -> None:
        super().__init__("The request was cancelled by an administrator.")
