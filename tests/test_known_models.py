"""Every model a request may name, and with which settings it is served."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from inference.core.errors import InferenceError, InvalidRequestError
from inference.core.outcomes import ModelState
from inference.library.models_file import ModelsFileError
from inference.models import ModelEntry
from tests.shelf import Shelf, shelf

if TYPE_CHECKING:
    from inference.core.catalog import ModelCard
    from inference.core.models import ModelSource
    from inference.known_models import KnownModels

__all__ = ["shelf"]

HUB_ID = "tiny-org/tiny-from-hub"
WEIGHTS = 2_220_288

pytestmark = pytest.mark.django_db(transaction=True)


class StillClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


def found(known: KnownModels, name: str, *, key: str = "") -> ModelSource:
    source = asyncio.run(known.find(name, key=key))
    assert source is not None
    return source


def nothing_found(known: KnownModels, name: str) -> bool:
    return asyncio.run(known.find(name)) is None


def refused(known: KnownModels, name: str, *, key: str = "") -> InferenceError:
    with pytest.raises(InferenceError) as caught:
        asyncio.run(known.find(name, key=key))
    return caught.value


def cards(known: KnownModels) -> dict[str, ModelCard]:
    return {card.key: card for card in asyncio.run(known.cards())}


def entry(key: str, source: str, **options: Any) -> ModelEntry:
    return ModelEntry.objects.create(key=key, source=source, **options)


# --- names


def test_a_model_is_found_by_each_of_its_names(shelf: Shelf) -> None:
    folder = str(shelf.put("group/tiny"))
    snapshot = str(shelf.put_in_hub_cache(HUB_ID))
    entry("mine", "group/tiny")
    shelf.models_file.write_text(f'[models."ours"]\nsource = "{HUB_ID}"\n')
    known = shelf.known()
    for name, key, path in (
        ("mine", "mine", folder),
        ("ours", "ours", snapshot),
        ("group/tiny", "group/tiny", folder),
        ("tiny", "group/tiny", folder),
        (HUB_ID, HUB_ID, snapshot),
        ("tiny-from-hub", HUB_ID, snapshot),
        (folder, "group/tiny", folder),
    ):
        source = found(known, name)
        assert (source.key, source.path) == (key, path), name
        assert source.kind == "vlm"
        assert source.estimated_bytes == WEIGHTS
        # What it says it was named by leads to it again.
        assert found(known, source.origin).path == path


def test_a_model_that_sees_is_served_as_its_entry_says(shelf: Shelf) -> None:
    shelf.put("tiny")
    shelf.models_file.write_text('[models."blind"]\nsource = "tiny"\nkind = "lm"\n')
    known = shelf.known()
    assert [found(known, name).kind for name in ("tiny", "blind")] == ["vlm", "lm"]
    assert cards(known)["blind"].capabilities == ("text",)


def test_it_is_served_under_the_key_that_is_asked_for(shelf: Shelf) -> None:
    shelf.put("tiny")
    assert found(shelf.known(), "tiny", key="mine").key == "mine"


@pytest.mark.parametrize("key", ["a\nb", " a", "a" * 256, "\0"])
def test_a_key_that_no_client_could_send_is_refused(shelf: Shelf, key: str) -> None:
    shelf.put("tiny")
    error = refused(shelf.known(), "tiny", key=key)
    assert (type(error), error.param) == (InvalidRequestError, "key")


@pytest.mark.parametrize(
    "name", ["", "nobody", "no/body", "/etc", "~nobody/x", "a\0b", "a" * 4000, "/\0"]
)
def test_a_name_that_nobody_knows_is_no_error(shelf: Shelf, name: str) -> None:
    known = shelf.known()
    assert nothing_found(known, name)
    assert nothing_found(known, name)


def test_a_folder_elsewhere_is_for_the_operator_to_name(shelf: Shelf) -> None:
    folder = shelf.put_elsewhere("tiny")
    known = shelf.known()
    assert nothing_found(known, str(folder))
    entry("mine", str(folder))
    assert found(known, "mine").path == str(folder)


def test_two_folders_of_one_name_are_not_taken_for_each_other(shelf: Shelf) -> None:
    first, second = shelf.put("a/tiny"), shelf.put("b/tiny")
    entry("tiny", str(first))
    entry("b/tiny", str(first))
    source = found(shelf.known(), str(second))
    assert (source.key, source.path) == (str(second), str(second))


def test_a_name_that_led_nowhere_costs_nothing_for_a_moment(shelf: Shelf) -> None:
    clock = StillClock()
    known = shelf.known(clock=clock)
    assert nothing_found(known, "tiny")
    shelf.put("tiny")
    assert nothing_found(known, "tiny")
    clock.now += 2.1
    assert found(known, "tiny").key == "tiny"


def test_a_model_that_was_just_downloaded_is_found_at_once(shelf: Shelf) -> None:
    known = shelf.known(clock=StillClock())
    assert nothing_found(known, HUB_ID)
    snapshot = shelf.put_in_hub_cache(HUB_ID)
    source = found(known, HUB_ID)
    assert (source.key, source.path) == (HUB_ID, str(snapshot))


# --- what cannot be loaded


def test_it_says_why_a_known_model_cannot_be_loaded(shelf: Shelf) -> None:
    broken, gone = shelf.put("broken"), shelf.put("gone")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    entry("mine", str(gone))
    known = shelf.known()
    assert found(known, "mine").key == "mine"
    shutil.rmtree(gone)
    for name, words in (("broken", "model.safetensors"), ("mine", str(gone))):
        error = refused(known, name)
        assert (error.http_status, error.param) == (400, "model")
        assert f"`{name}` cannot be loaded" in error.message
        assert words in error.message
        assert "\n" not in error.message
        assert words in cards(known)[name].error


def test_it_refuses_code_of_a_models_own_by_name(shelf: Shelf) -> None:
    shelf.put("clever", auto_map={"AutoConfig": "config.Clever"})
    known = shelf.known()
    error = refused(known, "clever")
    assert (error.code, error.http_status) == ("foreign_code", 400)
    assert "(auto_map in its config.json)" in error.message
    assert "trust_code" in cards(known)["clever"].error

    entry("clever", "clever", trust_code=True)
    assert found(known, "clever").options.trust_code
    assert cards(known)["clever"].error == ""


def test_code_of_a_tokenizers_own_is_not_blamed_on_the_config(shelf: Shelf) -> None:
    settings = shelf.put("clever") / "tokenizer_config.json"
    settings.write_text(json.dumps({"auto_map": {"AutoTokenizer": ["a.B", None]}}))
    known = shelf.known()
    told = "(auto_map in its tokenizer_config.json)"
    assert told in refused(known, "clever").message
    assert told in cards(known)["clever"].error


def test_trust_is_in_one_model_and_not_in_a_key(shelf: Shelf) -> None:
    shelf.put("clever", auto_map={"AutoConfig": "config.Clever"})
    shelf.put("stranger", auto_map={"AutoConfig": "config.Stranger"})
    entry("mine", "clever", trust_code=True, temperature=0.5)
    known = shelf.known()
    assert found(known, "mine").options.trust_code
    assert refused(known, "stranger", key="mine").code == "foreign_code"
    shelf.put("tame")
    tame = found(known, "tame", key="mine")
    assert not tame.options.trust_code
    assert tame.options.sampling == {"temperature": 0.5}

    # Another model under the key takes the trust away for good.
    asyncio.run(known.remember(tame))
    kept = ModelEntry.objects.get(key="mine")
    assert (kept.source, kept.trust_code, kept.temperature) == ("tame", False, 0.5)


# --- settings


def test_the_entry_counts_over_the_file_field_by_field(shelf: Shelf) -> None:
    shelf.put("tiny")
    shelf.models_file.write_text(
        """
        [models.tiny]
        system_prompt = "of the file"
        context_limit = 100
        think_start = "<a>"
        think_end = "</a>"
        ttl_s = 5
        pin = true
        [models.tiny.sampling]
        temperature = 0.1
        top_p = 0.5
        """
    )
    entry("tiny", "tiny", context_limit=200, temperature=0, ttl_s=0, pin=False)
    options = found(shelf.known(), "tiny").options
    assert options.sampling == {"temperature": 0, "top_p": 0.5}
    assert options.system_prompt == "of the file"
    assert (options.think_start, options.think_end) == ("<a>", "</a>")
    assert (options.context_limit, options.ttl_s, options.pin) == (200, 0, False)


def test_an_alias_has_settings_of_its_own_over_those_of_the_name(shelf: Shelf) -> None:
    shelf.put("tiny")
    entry("tiny", "tiny", context_limit=200, kv_bits=8)
    entry("mine", "tiny", context_limit=300)
    options = found(shelf.known(), "tiny", key="mine").options
    assert (options.context_limit, options.kv_bits) == (300, 8)


def test_the_file_is_read_again_when_it_changes(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.put("tiny")
    known = shelf.known(clock=StillClock())
    shelf.models_file.write_text("[models.tiny]\ncontext_limit = 100\n")
    assert found(known, "tiny").options.context_limit == 100
    shelf.models_file.write_text("[models.tiny]\ncontext_limit = 1000\n")
    assert found(known, "tiny").options.context_limit == 1000
    # A slip of the pen does not take effect, and is told once.
    shelf.models_file.write_text("[models.tiny]\ncontext_limit = 1\n")
    assert found(known, "tiny").options.context_limit == 1000
    assert found(known, "tiny").options.context_limit == 1000
    assert caplog.text.count('[models."tiny"]: context_limit') == 1
    shelf.models_file.unlink()
    assert found(known, "tiny").options.context_limit is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("context_limit = 15", "context_limit: Ensure this value is greater"),
        ("kv_bits = 5", "kv_bits: Value 5 is not a valid choice."),
        ("max_concurrency = 1025", "max_concurrency: Ensure this value is less"),
        ("ttl_s = -1", "ttl_s: Ensure"),
        ('think_start = "<think>"', "think_end: The two tags are set together."),
        ('chat_template = "{% if %}"', "chat_template: This is no Jinja template."),
        ('image_tokens = "middle"', "image_tokens: Value 'middle' is not a valid"),
        ('source = "a\\u0000b"', "source: Control characters"),
        ("sampling = { temperature = 3 }", "sampling.temperature: Ensure"),
        ("sampling = { max_tokens = 1e400 }", "sampling.max_tokens: expected `int`"),
    ],
)
def test_a_start_can_refuse_a_file_with_a_value_out_of_bounds(
    shelf: Shelf, line: str, words: str
) -> None:
    shelf.models_file.write_text(f'[models."my model"]\n{line}\n')
    with pytest.raises(ModelsFileError) as caught:
        shelf.known().check_file()
    message = str(caught.value)
    assert message.startswith(f'{shelf.models_file}: [models."my model"]: {words}')
    assert "\n" not in message


# --- adapters and drafts


def test_an_adapter_is_a_model_of_its_own(shelf: Shelf) -> None:
    base = shelf.put("tiny")
    adapter = shelf.put_adapter("poet", base="tiny")
    known = shelf.known()
    source = found(known, "poet")
    assert (source.key, source.path) == ("poet", str(base))
    assert source.options.adapter_path == str(adapter)
    assert source.estimated_bytes > WEIGHTS
    assert cards(known)["poet"].context_length == 2048


def test_an_adapter_says_which_base_is_missing(shelf: Shelf) -> None:
    shelf.put_adapter("poet", base="org/base")
    known = shelf.known()
    assert "its base model org/base: it is not on this machine" in (
        refused(known, "poet").message
    )
    assert "org/base" in cards(known)["poet"].error


def test_an_adapter_and_a_draft_of_an_entry_count_too(shelf: Shelf) -> None:
    shelf.put("tiny")
    adapter, draft = shelf.put_adapter("poet", base="tiny"), shelf.put("small")
    entry("mine", "tiny", adapter_path=str(adapter), draft_path=str(draft))
    known = shelf.known()
    source = found(known, "mine")
    assert source.options.adapter_path == str(adapter)
    assert source.options.draft_path == str(draft)
    assert source.estimated_bytes > 2 * WEIGHTS
    # With an adapter it is another model than without.
    assert {"mine", "tiny", "small"} == set(cards(known))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"adapter_path": "{tiny}"}, "its adapter {tiny}: it is a model"),
        ({"adapter_path": "/etc"}, "its adapter /etc: /etc is in none of"),
        ({"draft_path": "{poet}"}, "its draft model {poet}: it is an adapter"),
        ({"draft_path": "/nowhere"}, "its draft model /nowhere: /nowhere is in none"),
    ],
)
def test_it_names_the_part_that_cannot_be_loaded(
    shelf: Shelf, options: dict[str, str], words: str
) -> None:
    tiny, poet = shelf.put("tiny"), shelf.put_adapter("poet", base="tiny")
    filled = {n: text.format(tiny=tiny, poet=poet) for n, text in options.items()}
    entry("mine", "tiny", **filled)
    assert words.format(tiny=tiny, poet=poet) in refused(shelf.known(), "mine").message


# --- lists and entries


def test_it_lists_each_known_model_once(shelf: Shelf) -> None:
    shelf.put("tiny", max_position_embeddings=4096)
    shelf.put("other")
    shelf.put_in_hub_cache(HUB_ID)
    entry("mine", "tiny", context_limit=512, pin=True)
    shelf.models_file.write_text(
        f'[models."ours"]\nsource = "{HUB_ID}"\nttl_s = 60\n[models."lost"]\n'
    )
    listed = cards(shelf.known())
    assert list(listed) == ["mine", "ours", "lost", "other"]
    mine = listed["mine"]
    assert (mine.source, mine.context_length, mine.pinned) == ("tiny", 512, True)
    assert mine.size_bytes is not None
    assert mine.size_bytes > WEIGHTS
    assert (mine.kind, mine.capabilities) == ("vlm", ("text", "vision"))
    assert listed["ours"].ttl_s == 60
    assert listed["lost"].error == "lost is not on this machine"
    assert {card.state for card in listed.values()} == {ModelState.UNLOADED}


def test_it_remembers_what_was_loaded_and_leaves_the_settings(shelf: Shelf) -> None:
    shelf.put("tiny")
    known = shelf.known()
    asyncio.run(known.remember(found(known, "tiny", key="mine")))
    kept = ModelEntry.objects.get()
    assert (kept.key, kept.source, kept.kind) == ("mine", "tiny", "")
    ModelEntry.objects.update(context_limit=99, system_prompt="Be brief.")
    asyncio.run(known.remember(found(known, "mine")))
    kept = ModelEntry.objects.get()
    assert (kept.context_limit, kept.system_prompt) == (99, "Be brief.")


def test_a_model_keeps_the_name_it_was_written_down_by(shelf: Shelf) -> None:
    snapshot = shelf.put_in_hub_cache(HUB_ID)
    entry("mine", HUB_ID)
    known = shelf.known()
    asyncio.run(known.remember(found(known, str(snapshot), key="mine")))
    assert ModelEntry.objects.get().source == HUB_ID


def test_where_the_file_places_a_model_the_file_goes_on_saying_so(
    shelf: Shelf,
) -> None:
    shelf.put("tiny")
    other = shelf.put("other")
    shelf.models_file.write_text('[models."mine"]\nsource = "tiny"\n')
    known = shelf.known()
    asyncio.run(known.remember(found(known, "mine")))
    assert ModelEntry.objects.get().source == ""
    shelf.models_file.write_text('[models."mine"]\nsource = "other"\n')
    assert found(known, "mine").path == str(other)
    # Not even who loads another model under that key changes it.
    asyncio.run(known.remember(found(known, "tiny", key="mine")))
    assert found(known, "mine").path == str(other)


def test_a_database_that_cannot_be_read_is_no_unknown_model(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put("tiny")
    known = shelf.known()
    source = found(known, "tiny")
    monkeypatch.setattr(ModelEntry._meta, "db_table", "no_such_table")
    error = refused(known, "tiny")
    assert (error.code, error.http_status) == ("model_unavailable", 503)
    asyncio.run(known.remember(source))
    monkeypatch.undo()
    assert not ModelEntry.objects.exists()
