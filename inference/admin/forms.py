"""The form of one model: what staff write is checked against this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.html import format_html, format_html_join

from inference.conf import ServerConfig
from inference.known_models import Sources, shared_library
from inference.known_models.settings import Settings, problem_with
from inference.library.configs import ADAPTER, NO_DRAFTS
from inference.library.errors import LibraryError
from inference.library.models_file import ModelsFile
from inference.models import ModelEntry, names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from django.utils.safestring import SafeString

    from inference.library.scan import LocalModel

    EntryForm = forms.ModelForm[ModelEntry]
else:
    EntryForm = forms.ModelForm

# Whitespace around these is meant as it stands.
VERBATIM = ("chat_template", "system_prompt", "think_start", "think_end")


def local_sources() -> Sources:
    """Return what finds models on this machine."""
    return Sources(shared_library(ServerConfig.from_settings()))


def known_settings() -> Settings:
    """Return what entries and the models file say."""
    path = ServerConfig.from_settings().models_file
    return Settings(ModelsFile(path, check=problem_with))


class SuggestingInput(forms.TextInput):
    """A line of text with suggestions that nobody has to follow."""

    suggestions: tuple[str, ...] = ()

    def render(
        self,
        name: str,
        value: Any,
        attrs: Mapping[str, Any] | None = None,
        renderer: Any = None,
    ) -> SafeString:
        """Return the field and its list."""
        list_id = f"suggestions-{name}"
        field = super().render(
            name, value, {**(attrs or {}), "list": list_id}, renderer
        )
        options = format_html_join(
            "", '<option value="{}">', ((text,) for text in self.suggestions)
        )
        return format_html('{}<datalist id="{}">{}</datalist>', field, list_id, options)


class ModelEntryForm(EntryForm):
    """Refuses models, adapters and drafts that are not on this machine."""

    class Meta:
        model = ModelEntry
        exclude = ("created_at", "updated_at")
        widgets = {
            "source": SuggestingInput(attrs={"class": "vTextField"}),
            "adapter_path": SuggestingInput(attrs={"class": "vTextField"}),
            "draft_path": SuggestingInput(attrs={"class": "vTextField"}),
            "chat_template": forms.Textarea(
                attrs={"rows": 8, "class": "vLargeTextField code"}
            ),
            "system_prompt": forms.Textarea(
                attrs={"rows": 4, "class": "vLargeTextField"}
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sources = local_sources()
        for name in VERBATIM:
            if name in self.fields:
                self.fields[name].strip = False  # type: ignore[attr-defined]
        models = self._sources.all()
        self._suggest("source", models)
        self._suggest("adapter_path", (m for m in models if m.kind == ADAPTER))
        self._suggest("draft_path", (m for m in models if m.kind not in NO_DRAFTS))

    def _suggest(self, name: str, models: Iterable[LocalModel]) -> None:
        if name in self.fields:
            widget = self.fields[name].widget
            assert isinstance(widget, SuggestingInput)
            usable = (model.name for model in models if not model.problem)
            widget.suggestions = tuple(dict.fromkeys(usable))

    def clean_key(self) -> str:
        """Accept a key that is nobody's alias."""
        key: str = self.cleaned_data["key"]
        owner = known_settings().owner_of(key, but=key)
        if owner:
            raise forms.ValidationError(f"{key} is {owner}.")
        return key

    def clean_aliases(self) -> str:
        """Accept names that lead to no other model."""
        names = names_in(self.cleaned_data["aliases"])
        own = self.instance.key or self.cleaned_data.get("key", "")
        settings = known_settings()
        for name in names:
            owner = settings.owner_of(name, but=own)
            if not owner and name != own and self._sources.named(name) is not None:
                owner = "the name of a model on this machine"
            if owner:
                raise forms.ValidationError(f"{name} is {owner}.")
        return ", ".join(names)

    def clean_source(self) -> str:
        """Accept what can be loaded, but for code of its own."""
        return self._checked("source", self._sources.usable)

    def clean_adapter_path(self) -> str:
        """Accept an adapter."""
        return self._checked("adapter_path", self._sources.adapter_at)

    def clean_draft_path(self) -> str:
        """Accept a whole model."""
        return self._checked("draft_path", self._sources.draft_at)

    def clean_chat_template(self) -> str:
        """Undo what browsers do to the ends of lines."""
        return _with_plain_ends(self.cleaned_data["chat_template"])

    def clean_system_prompt(self) -> str:
        """Undo what browsers do to the ends of lines."""
        return _with_plain_ends(self.cleaned_data["system_prompt"])

    def _checked(self, name: str, find: Callable[[str], LocalModel]) -> str:
        text: str = self.cleaned_data[name]
        if text:
            try:
                find(text)
            except LibraryError as error:
                words = str(error) if text in str(error) else f"{text}: {error}"
                raise forms.ValidationError(f"{words}.") from None
        return text


def _with_plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n")
