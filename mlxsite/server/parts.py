"""The parts of a server that its settings decide about; the lifecycle owns them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from inference.auth import Readers, SharedKey
from inference.core.errors import InferenceError
from inference.core.limits import DEFAULT_LIMITS
from inference.images.fetching import ImageFetcher
from inference.images.hosts import HostList
from inference.images.loader import ImageLoader
from inference.response_store import DatabaseResponseStore

if TYPE_CHECKING:
    from inference.conf import ServerConfig
    from inference.core.models import ModelSource
    from inference.core.trace import ServerIdentity
    from inference.known_models import KnownModels


async def with_settings(source: ModelSource, catalog: KnownModels) -> ModelSource:
    """Return the source with what the admin and the models file say of its key.

    Where that cannot be done, the source says why it must not be loaded.
    """
    try:
        known = await catalog.find(source.key)
    except InferenceError as error:
        return msgspec.structs.replace(source, problem=error.message)
    if known is None or known.path != source.path:
        return source
    if not source.options.kind:
        return known
    # The command line's word goes before the entry's.
    options = msgspec.structs.replace(known.options, kind=source.options.kind)
    return msgspec.structs.replace(known, kind=source.kind, options=options)


def scrapers(config: ServerConfig, keys: SharedKey, hosts: tuple[str, ...]) -> Readers:
    """Return who may read `/metrics`: holders of its own key, where it has one."""
    if config.metrics_key:
        own = SharedKey(config.metrics_key, name="metrics_key")
        return Readers(own, allowed_hosts=hosts)
    return Readers(keys, allowed_hosts=hosts, lets_local_in=True)


def response_store(
    config: ServerConfig, identity: ServerIdentity
) -> DatabaseResponseStore | None:
    """Return what keeps responses, if they are to be kept."""
    if not config.responses_retention_s:
        return None
    return DatabaseResponseStore(
        retention_s=config.responses_retention_s,
        most_bytes=config.responses_max_bytes,
        boot_id=identity.boot_id,
    )


def image_loader(config: ServerConfig) -> ImageLoader:
    """Return what gets the images of requests, by URL only where that is allowed."""
    limits = replace(DEFAULT_LIMITS, images_pixels=config.image_pixels)
    if not config.fetches_images:
        return ImageLoader(limits=limits)
    hosts = HostList(config.image_hosts)
    return ImageLoader(
        fetcher=ImageFetcher(timeout_s=config.image_timeout_s, hosts=hosts),
        limits=limits,
    )
