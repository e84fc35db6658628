"""The admin's page of models: what staff see and may change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inference.models import ModelEntry

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry() -> ModelEntry:
    return ModelEntry.objects.entry_for("org/model", source="/models/m", kind="lm")


def test_it_lists_models_with_their_state(
    admin_client: Client, entry: ModelEntry
) -> None:
    page = admin_client.get("/admin/inference/modelentry/").content.decode()
    assert entry.key in page
    assert "not served" in page


def test_it_keeps_the_defaults_that_staff_set(
    admin_client: Client, entry: ModelEntry
) -> None:
    address = f"/admin/inference/modelentry/{entry.pk}/change/"
    assert admin_client.get(address).status_code == 200
    sent = {
        "temperature": "0.5",
        "top_p": "",
        "top_k": "",
        "min_p": "",
        "max_tokens": "9",
    }
    assert admin_client.post(address, sent).status_code == 302
    entry.refresh_from_db()
    assert entry.sampling_defaults() == {"temperature": 0.5, "max_tokens": 9}
    # The next start brings the source up to date and keeps what staff set.
    again = ModelEntry.objects.entry_for("org/model", source="/models/n", kind="lm")
    assert again.sampling_defaults() == {"temperature": 0.5, "max_tokens": 9}


def test_it_refuses_a_default_out_of_range(
    admin_client: Client, entry: ModelEntry
) -> None:
    address = f"/admin/inference/modelentry/{entry.pk}/change/"
    answer = admin_client.post(address, {"temperature": "3"})
    assert answer.status_code == 200
    entry.refresh_from_db()
    assert entry.sampling_defaults() == {}


def test_it_lets_nobody_add_or_delete_entries_by_hand(
    admin_client: Client, entry: ModelEntry
) -> None:
    assert admin_client.get("/admin/inference/modelentry/add/").status_code == 403
    delete = f"/admin/inference/modelentry/{entry.pk}/delete/"
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
