"""Models are found where other programs leave them, and nowhere else."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from inference.library.machine import computes_on_cpu
from inference.library.places import LibraryPlace, places
from inference.library.scan import Library, LibraryError, LocalModel
from inference.library.weights import measure_weights
from tests.library.cast import REVISION, put_adapter, put_in_hub_cache, put_model

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "f" * 40


class StillClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def wall(self) -> float:
        """Seconds."""
        return self.now


def found(library: Library) -> list[tuple[str, str]]:
    """Return name and place of every model."""
    return [(model.name, model.place) for model in library.all()]


def test_places_that_are_not_there_are_empty(
    usual_places: tuple[LibraryPlace, ...],
) -> None:
    assert Library(usual_places).all() == ()


def test_it_finds_models_in_every_place(
    tiny_model_dir: Path,
    hub_cache: Path,
    lm_studio: Path,
    data_dir: Path,
    tmp_path: Path,
) -> None:
    put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")
    put_model(tiny_model_dir, lm_studio / "publisher" / "tiny")
    put_model(tiny_model_dir, data_dir / "models" / "imported")
    put_model(tiny_model_dir, tmp_path / "shelf" / "one")
    put_model(tiny_model_dir, tmp_path / "shelf" / "org" / "two")
    put_model(tiny_model_dir, tmp_path / "single")
    put_adapter(tmp_path / "shelf" / "tuned")
    shelf, single = tmp_path / "shelf", tmp_path / "single"

    library = Library(places(data_dir=data_dir, extra=[shelf, single]))

    assert found(library) == [
        ("org/tiny", "hub cache"),
        ("publisher/tiny", "LM Studio"),
        ("imported", "data folder"),
        ("one", str(shelf)),
        ("org/two", str(shelf)),
        ("tuned", str(shelf)),
        ("single", str(single)),
    ]
    assert [model.problem for model in library.all()] == [""] * 7


def test_it_looks_in_the_older_folder_of_lm_studio_too(
    tiny_model_dir: Path, lm_studio: Path, usual_places: tuple[LibraryPlace, ...]
) -> None:
    older = lm_studio.parents[1] / ".cache" / "lm-studio" / "models"
    put_model(tiny_model_dir, older / "publisher" / "tiny")

    assert found(Library(usual_places)) == [("publisher/tiny", "LM Studio")]


def test_broken_folders_are_listed_with_their_problem(
    tiny_model_dir: Path, lm_studio: Path, usual_places: tuple[LibraryPlace, ...]
) -> None:
    truncated = put_model(tiny_model_dir, lm_studio / "org" / "truncated")
    os.truncate(truncated / "model.safetensors", 5000)
    pickled = put_model(tiny_model_dir, lm_studio / "org" / "pickled")
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    gguf = lm_studio / "org" / "gguf"
    gguf.mkdir()
    (gguf / "model-Q4_0.gguf").touch()
    (lm_studio / "org" / "empty").mkdir()
    (lm_studio / "org" / "file").touch()
    (lm_studio / "stray").touch()

    problems = {model.name: model.problem for model in Library(usual_places).all()}

    assert list(problems) == ["org/gguf", "org/pickled", "org/truncated"]
    assert "5,000 of " in problems["org/truncated"]
    assert "pytorch_model.bin" in problems["org/pickled"]
    assert "mlx-server import" in problems["org/gguf"]


def test_the_default_model_goes_by_its_own_name(
    tiny_model_dir: Path, data_dir: Path, usual_places: tuple[LibraryPlace, ...]
) -> None:
    for variant in ("float32", "quantized"):
        name = f"SmolLM2-135M-Instruct-{variant}"
        put_model(tiny_model_dir, data_dir / "models" / name)
    (data_dir / "models" / ".making-something").mkdir()

    library = Library(usual_places)

    assert found(library) == [("SmolLM2-135M-Instruct", "data folder")] * 2
    quick = library.find("SmolLM2-135M-Instruct")
    assert quick is not None
    assert quick.path.endswith("-float32" if computes_on_cpu() else "-quantized")


class TestHubCache:
    """Which snapshot of a model counts."""

    def test_it_is_the_one_that_main_stands_at(
        self,
        tiny_model_dir: Path,
        hub_cache: Path,
        usual_places: tuple[LibraryPlace, ...],
    ) -> None:
        put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny", revision=OTHER)
        newer = put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")
        (newer.parents[1] / "refs" / "main").write_text(f"{OTHER}\n")

        (model,) = Library(usual_places).all()

        assert model.path.endswith(OTHER)
        assert model.memory_bytes > 0

    @pytest.mark.parametrize("ref", [None, "gone", "../../../elsewhere", "", "\udcff"])
    def test_without_main_it_is_the_newest(
        self,
        ref: str | None,
        tiny_model_dir: Path,
        hub_cache: Path,
        usual_places: tuple[LibraryPlace, ...],
    ) -> None:
        old = put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny", revision=OTHER)
        new = put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")
        os.utime(old, (1000, 1000))
        main = new.parents[1] / "refs" / "main"
        main.unlink()
        if ref is not None:
            main.write_bytes(ref.encode(errors="surrogateescape"))

        (model,) = Library(usual_places).all()

        assert model.path.endswith(REVISION)

    def test_names_without_an_owner_and_other_things_are_told_apart(
        self,
        tiny_model_dir: Path,
        hub_cache: Path,
        usual_places: tuple[LibraryPlace, ...],
    ) -> None:
        put_in_hub_cache(tiny_model_dir, hub_cache, "gpt2")
        snapshot = put_in_hub_cache(tiny_model_dir, hub_cache, "org/tokenizer-only")
        for name in ("config.json", "model.safetensors"):
            (snapshot / name).unlink()
        shutil.copytree(hub_cache / "models--gpt2", hub_cache / "datasets--org--data")
        (hub_cache / "models--org--fetching" / "blobs").mkdir(parents=True)
        (hub_cache / "version.txt").touch()

        assert found(Library(usual_places)) == [("gpt2", "hub cache")]

    def test_a_download_that_was_broken_off_is_named(
        self,
        tiny_model_dir: Path,
        hub_cache: Path,
        usual_places: tuple[LibraryPlace, ...],
    ) -> None:
        snapshot = put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")
        (snapshot / "model.safetensors").resolve().unlink()

        (model,) = Library(usual_places).all()

        assert model.problem == "model*.safetensors is missing"


class TestFinding:
    """By name."""

    def test_it_takes_the_full_name_or_a_unique_last_part(
        self,
        tiny_model_dir: Path,
        lm_studio: Path,
        usual_places: tuple[LibraryPlace, ...],
    ) -> None:
        for name in ("a/one", "a/two", "b/two"):
            put_model(tiny_model_dir, lm_studio / name)
        library = Library(usual_places)

        names = {
            asked: model.name if (model := library.find(asked)) else None
            for asked in ("a/one", "one", "b/two", "two", "ONE", "a", "", "/one")
        }

        assert names == {
            "a/one": "a/one",
            "one": "a/one",
            "b/two": "b/two",
            **dict.fromkeys(("two", "ONE", "a", "", "/one")),
        }

    def test_the_first_place_wins_and_both_are_listed(
        self,
        tiny_model_dir: Path,
        hub_cache: Path,
        lm_studio: Path,
        usual_places: tuple[LibraryPlace, ...],
    ) -> None:
        snapshot = put_in_hub_cache(tiny_model_dir, hub_cache, "org/tiny")
        put_model(tiny_model_dir, lm_studio / "org" / "tiny")
        library = Library(usual_places)

        assert found(library) == [("org/tiny", "hub cache"), ("org/tiny", "LM Studio")]
        for name in ("org/tiny", "tiny"):
            model = library.find(name)
            assert model is not None
            assert model.place == "hub cache"

        # A download that was broken off does not hide the whole model.
        (snapshot / "model.safetensors").resolve().unlink()
        library.forget()
        model = library.find("org/tiny")
        assert model is not None
        assert model.place == "LM Studio"


class TestAt:
    """By folder."""

    @pytest.fixture
    def shelf(self, tiny_model_dir: Path, tmp_path: Path) -> Path:
        """A folder of the user's own with a model in it."""
        put_model(tiny_model_dir, tmp_path / "shelf" / "org" / "tiny")
        return tmp_path / "shelf"

    @pytest.fixture
    def library(self, shelf: Path, data_dir: Path, hub_cache: Path) -> Library:
        """A library that looks there."""
        return Library(places(data_dir=data_dir, extra=[shelf]))

    def test_it_knows_a_folder_by_any_way_to_it(
        self, library: Library, shelf: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "link").symlink_to(shelf / "org" / "tiny")
        ways = (
            shelf / "org" / "tiny",
            str(shelf / "org" / ".." / "org" / "tiny"),
            tmp_path / "link",
        )

        assert {library.at(way).name for way in ways} == {"org/tiny"}

    @pytest.mark.parametrize("path", ["/", "/etc", "~", "..", "\0", "~nobody-here/x"])
    def test_it_refuses_a_folder_elsewhere(self, path: str, library: Library) -> None:
        with pytest.raises(LibraryError, match=r"see MODEL_DIRS|is no folder"):
            library.at(path)

    def test_it_refuses_a_model_elsewhere_and_a_way_out(
        self, library: Library, shelf: Path, tiny_model_dir: Path
    ) -> None:
        (shelf / "way-out").symlink_to(tiny_model_dir)

        for path in (tiny_model_dir, shelf / "way-out", f"{shelf}/../shelf-2"):
            with pytest.raises(LibraryError, match="see MODEL_DIRS"):
                library.at(path)

        listed = library.find("way-out")
        assert listed is not None
        assert listed.problem == "it is a link to a folder elsewhere: see MODEL_DIRS"
        assert listed.architecture == ""

    def test_it_refuses_a_folder_without_a_model(
        self, library: Library, shelf: Path
    ) -> None:
        with pytest.raises(
            LibraryError, match=r"there is no folder .*nothing, or not any"
        ):
            library.at(shelf / "nothing")
        for path in (shelf, shelf / "org"):
            with pytest.raises(LibraryError, match="is not a model"):
                library.at(path)

    def test_a_broken_model_tells_its_problem(
        self, library: Library, shelf: Path
    ) -> None:
        (shelf / "org" / "tiny" / "config.json").unlink()

        assert library.at(shelf / "org" / "tiny").problem == "config.json is missing"

    def test_links_in_a_circle_are_no_folder(
        self, library: Library, shelf: Path
    ) -> None:
        (shelf / "a").symlink_to(shelf / "b")
        (shelf / "b").symlink_to(shelf / "a")

        with pytest.raises(LibraryError):
            library.at(shelf / "a")
        assert [model.name for model in library.all()] == ["org/tiny"]


def test_a_stray_config_does_not_hide_the_models_around_it(
    tiny_model_dir: Path, tmp_path: Path, data_dir: Path, hub_cache: Path
) -> None:
    put_model(tiny_model_dir, tmp_path / "shelf" / "tiny")
    (tmp_path / "shelf" / "config.json").write_text("{}")

    library = Library(places(data_dir=data_dir, extra=[tmp_path / "shelf"]))

    assert [model.name for model in library.all()] == ["tiny"]


def test_a_folder_in_two_places_is_one_model(
    tiny_model_dir: Path, tmp_path: Path, data_dir: Path, hub_cache: Path
) -> None:
    shelf = tmp_path / "shelf"
    put_model(tiny_model_dir, shelf / "tiny")
    (tmp_path / "same").symlink_to(shelf)

    extra = [shelf, shelf / "tiny", tmp_path / "same"]

    assert len(Library(places(data_dir=data_dir, extra=extra)).all()) == 1


class TestKeeping:
    """What was found is kept for a while."""

    def test_it_looks_again_after_a_while_or_when_told(
        self,
        tiny_model_dir: Path,
        lm_studio: Path,
        usual_places: tuple[LibraryPlace, ...],
    ) -> None:
        clock = StillClock()
        library = Library(usual_places, keep_s=5, clock=clock)
        assert library.all() == ()
        put_model(tiny_model_dir, lm_studio / "org" / "one")
        assert library.all() == ()

        clock.now += 5
        assert len(library.all()) == 1

        put_model(tiny_model_dir, lm_studio / "org" / "two")
        assert len(library.all()) == 1
        library.forget()
        assert len(library.all()) == 2

    def test_a_file_that_changed_is_read_again_and_no_other(
        self,
        tiny_model_dir: Path,
        lm_studio: Path,
        usual_places: tuple[LibraryPlace, ...],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        measured: list[Path] = []

        def counted(paths, **options):
            measured.extend(paths)
            return measure_weights(paths, **options)

        monkeypatch.setattr("inference.library.local.measure_weights", counted)
        for name in ("one", "two"):
            put_model(tiny_model_dir, lm_studio / "org" / name)
        library = Library(usual_places, keep_s=0)
        library.all()
        library.all()
        assert len(measured) == 2

        os.truncate(lm_studio / "org" / "two" / "model.safetensors", 100_000)

        assert [bool(model.problem) for model in library.all()] == [False, True]
        assert measured[2:] == [lm_studio / "org" / "two" / "model.safetensors"]

    def test_threads_may_ask_at_once(
        self,
        tiny_model_dir: Path,
        lm_studio: Path,
        usual_places: tuple[LibraryPlace, ...],
    ) -> None:
        for number in range(5):
            put_model(tiny_model_dir, lm_studio / "org" / str(number))
        library = Library(usual_places, keep_s=0)
        answers: list[tuple[LocalModel, ...]] = []
        threads = [
            threading.Thread(
                target=lambda: answers.extend(library.all() for _ in range(20))
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert len(answers) == 80
        assert len(set(answers)) == 1


def test_a_name_that_steers_a_terminal_is_refused_where_it_is_listed(
    tiny_model_dir: Path, lm_studio: Path, usual_places: tuple[LibraryPlace, ...]
) -> None:
    put_model(tiny_model_dir, lm_studio / "org" / "evil\x1b]0;owned\x07\nname")
    put_model(tiny_model_dir, lm_studio / "org" / "good")

    evil, good = sorted(
        Library(usual_places).all(), key=lambda model: not model.problem
    )

    assert evil.problem == "its name has characters that cannot be shown"
    assert (evil.name + evil.path).isprintable()
    assert (good.name, good.problem) == ("org/good", "")
