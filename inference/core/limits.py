"""Every bound on what a request may carry, in one place.

The table in `docs/limits.md` follows this file. Sizes in bytes unless the name
says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds checked before anything is queued."""

    body_bytes: int = 32 * MIB
    parse_in_thread_bytes: int = 64 * KIB
    json_depth: int = 64
    json_elements: int = 100_000
    json_number_chars: int = 64
    messages: int = 4096
    conversation_items: int = 20
    parts_per_message: int = 256
    text_chars: int = 16 * MIB
    name_chars: int = 256
    model_name_chars: int = 512
    model_key_chars: int = 200
    model_path_chars: int = 1024
    ttl_s: float = 365 * 86_400.0
    url_chars: int = 28 * MIB
    images: int = 32
    image_bytes: int = 20 * MIB
    images_bytes: int = 64 * MIB
    image_pixels: int = 200_000_000
    image_decoding_bytes: int = 400_000_000
    images_pixels: int = 192_000_000
    image_side: int = 65_535
    image_segments: int = 16_384
    image_scans: int = 64
    image_scanned_pixels: int = 64 * 24_000_000
    image_link_chars: int = 8192
    image_redirects: int = 3
    image_fetches: int = 16
    image_fetches_per_request: int = 4
    choices: int = 128
    inputs: int = 2048
    input_tokens: int = 300_000
    dimensions: int = 65_536
    documents: int = 1000
    grammar_chars: int = 256 * KIB
    grammar_choices: int = 1024
    regex_chars: int = 8192
    tools: int = 128
    tool_calls: int = 128
    tool_name_chars: int = 256
    tool_call_id_chars: int = 4096
    template_kwargs: int = 64
    template_kwargs_bytes: int = 16 * KIB
    metadata: int = 16
    metadata_key_chars: int = 64
    metadata_value_chars: int = 512
    stops: int = 64
    stop_chars: int = 512
    stop_token_ids: int = 64
    logit_bias: int = 1024
    token_id: int = 2**31 - 1
    temperature: float = 2.0
    top_k: int = 1_000_000
    max_tokens: int = 10_000_000
    seed_abs: int = 2**63 - 1
    header_chars: int = 512
    error_chars: int = 2000
    stream_buffer_bytes: int = 1 * MIB
    websocket_message_bytes: int = 32 * MIB
    unwritten_bytes: int = 256 * KIB
    unauthenticated_rows_per_minute: int = 60
    failed_logins_per_minute: int = 10


DEFAULT_LIMITS = Limits()
