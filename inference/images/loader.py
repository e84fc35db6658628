"""The images of a request, from their parts to bytes that may be decoded."""

from __future__ import annotations

import asyncio
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from inference.core.errors import (
    ImageTooLargeError,
    ImageUrlNotAllowedError,
    InvalidRequestError,
    TooManyImagesError,
)
from inference.core.images import ImageData
from inference.core.limits import DEFAULT_LIMITS, Limits
from inference.core.requests import ChatMessage
from inference.core.timing import Clock, SystemClock
from inference.images.headers import to_image
from inference.images.parts import at, image_parts, without_urls
from inference.images.room import ByteRoom
from inference.images.sources import InlineImage, RemoteImage, to_source

if TYPE_CHECKING:
    from inference.core.requests import ImagePart
    from inference.images.fetching import ImageFetcher


class LoadedImages(msgspec.Struct, frozen=True):
    """A conversation whose image parts have no URLs, and their images in order.

    `fetch_s`: seconds until all of them were there and judged.
    """

    messages: tuple[ChatMessage, ...]
    images: tuple[ImageData, ...] = ()
    fetch_s: float = 0.0


class ImageLoader:
    """Loads the images of requests; one per server.

    Without a `fetcher`, data URLs are the only source.
    """

    def __init__(
        self,
        *,
        fetcher: ImageFetcher | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._limits = limits
        self._clock = clock or SystemClock()
        # Base64 is work for the interpreter: two at a time are no faster, and the
        # loop would wait for both.
        self._one_at_a_time = asyncio.Lock()

    async def load(self, messages: tuple[ChatMessage, ...]) -> LoadedImages:
        """Load all images of a conversation; one refusal ends them all.

        Raises:
            InvalidRequestError: an image cannot be had; `param` is its part.
            QueueTimeoutError: too many images of others are being fetched.
        """
        parts = list(image_parts(messages))
        if not parts:
            return LoadedImages(messages)
        self._refuse_too_many(parts)
        begun = self._clock.monotonic()
        # All URLs are judged before the first is fetched.
        sources = [self._source(path, part) for path, part in parts]
        room = ByteRoom(self._limits.images_bytes)
        places = asyncio.Semaphore(self._limits.image_fetches_per_request)

        async def load_one(
            path: str, part: ImagePart, source: InlineImage | RemoteImage
        ) -> ImageData:
            try:
                async with places:
                    return await self._load_one(source, part.detail, room)
            except InvalidRequestError as refusal:
                raise at(path, refusal) from None

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(load_one(path, part, source))
                    for (path, part), source in zip(parts, sources, strict=True)
                ]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        images = tuple(task.result() for task in tasks)
        self._refuse_many_pixels(parts, images)
        return LoadedImages(
            messages=without_urls(messages),
            images=images,
            fetch_s=self._clock.monotonic() - begun,
        )

    async def close(self) -> None:
        """Begin no fetches any more."""
        if self._fetcher is not None:
            self._fetcher.close()

    def _refuse_too_many(self, parts: list[tuple[str, ImagePart]]) -> None:
        limit = self._limits.images
        if len(parts) > limit:
            path, _ = parts[limit]
            raise at(
                path,
                TooManyImagesError(
                    f"the request carries {len(parts)} images; at most {limit} are read."
                ),
            )

    def _refuse_many_pixels(
        self, parts: list[tuple[str, ImagePart]], images: tuple[ImageData, ...]
    ) -> None:
        limit = self._limits.images_pixels
        totals = accumulate(image.decoded_pixels for image in images)
        for (path, _), total in zip(parts, totals, strict=True):
            if total > limit:
                raise at(
                    path,
                    ImageTooLargeError(
                        "with it the images of this request have more than "
                        f"{limit:,} pixels together."
                    ),
                )

    def _source(self, path: str, part: ImagePart) -> InlineImage | RemoteImage:
        try:
            source = to_source(part.url, limits=self._limits)
            if isinstance(source, RemoteImage) and self._fetcher is None:
                raise ImageUrlNotAllowedError(
                    "this server fetches no images. Send it as a data URL, or set "
                    "IMAGE_URLS or IMAGE_HOSTS on the server."
                )
        except InvalidRequestError as refusal:
            raise at(path, refusal) from None
        return source

    async def _load_one(
        self, source: InlineImage | RemoteImage, detail: str, room: ByteRoom
    ) -> ImageData:
        if isinstance(source, RemoteImage):
            assert self._fetcher is not None
            data = await self._fetcher.fetch(source, room)
            return await asyncio.to_thread(
                to_image, data, detail=detail, limits=self._limits
            )
        room.take(source.size_bytes)
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._from_inline, source, detail)

    def _from_inline(self, source: InlineImage, detail: str) -> ImageData:
        return to_image(source.decoded(), detail=detail, limits=self._limits)
