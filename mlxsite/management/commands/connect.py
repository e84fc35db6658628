"""`mlx-server connect NAME`: a tool's own configuration for this server."""

from __future__ import annotations

import argparse
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.client.connect.advice import warnings_of
from inference.client.connect.files import (
    BEFORE,
    ConfigFileError,
    is_connected,
    undo_change,
    write_changes,
)
from inference.client.connect.plans import (
    changes_for,
    short_path,
    shown_environment,
    shown_files,
)
from inference.client.connect.profiles import UserFolders
from inference.client.connect.registry import PROFILES
from inference.client.connect.target import ConnectTarget, target_of
from inference.client.faults import ServerError
from inference.client.screen.words import one_line
from inference.client.server import ServerClient
from inference.management.chat_options import add_model_option
from inference.management.client_command import FAILED, WRONG_USAGE, ClientCommand
from mlxsite.cli import USERS_ENVIRONMENT

if TYPE_CHECKING:
    from inference.client.address import ServerAddress
    from inference.client.connect.profiles import ConfigFile, ToolProfile

MASKED_KEY = "********"
MOST_TOKENS = 100_000_000


class Command(ClientCommand):
    """Writes, shows or undoes; may start the tool afterwards."""

    help = (
        "Write a tool's own configuration for a server: address, model, context and "
        "key. Without a name: list the tools."
    )
    examples = (
        "%(prog)s",
        "%(prog)s claude-code --print",
        "%(prog)s codex --model Qwen3-Coder-30B-4bit --start",
        '%(prog)s aider --start -- --message "Say hello"',
        "%(prog)s codex --undo",
    )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Declare the tool, what to do with it, and the model."""
        add = parser.add_argument
        add("tool", nargs="?", choices=list(PROFILES), metavar="NAME", help="the tool")
        add("words", nargs="*", metavar="ARG", help="after --: for the tool itself")
        deeds = parser.add_mutually_exclusive_group()
        deed = deeds.add_argument
        deed("--print", action="store_true", help="show it, and write nothing")
        deed("--undo", action="store_true", help="put back what was there before")
        deed("--start", action="store_true", help="start the tool afterwards")
        add("--show-key", action="store_true", help="show the key where it is printed")
        add_model_option(parser)
        add("--context", type=_tokens, metavar="N", help="tokens that the model takes")

    def run(self, address: ServerAddress, options: dict[str, Any]) -> None:
        """Do what was asked with one tool."""
        if options["tool"] is None:
            self._list_tools()
            return
        profile = PROFILES[options["tool"]]
        try:
            if options["undo"]:
                self._undo(profile)
                return
            target = self._target(profile, address, options)
            shown = replace(target, api_key=MASKED_KEY) if target.api_key else target
            shown = target if options["show_key"] else shown
            if options["print"]:
                self._print(profile, shown)
                return
            self._connect(profile, target, shown, options)
        except ConfigFileError as error:
            self.leave(str(error), FAILED)

    def _list_tools(self) -> None:
        width = max(map(len, PROFILES))
        for name, profile in PROFILES.items():
            self.stdout.write(f"{name:{width}}  {profile.title}")

    def _target(
        self, profile: ToolProfile, address: ServerAddress, options: dict[str, Any]
    ) -> ConnectTarget:
        if address.is_near and not options["api_key"] and _is_open(address):
            # A key from the environment is meant for somebody else then.
            address = replace(address, api_key="")
        server = ServerClient(address)
        target = target_of(address, server.models(), options["model"])
        context = options["context"] or target.context_tokens
        target = replace(target, context_tokens=context)
        if context is None and profile.needs_context:
            says = f"{profile.title} must know how many tokens {target.model} takes"
            self.leave(f"{says}, and the server does not say: use --context", FAILED)
        if not server.offers(profile.calls):
            missing = f"{address.base_url}{profile.calls}"
            self._warn(f"{profile.title} calls {missing}, which is not there")
        for line in warnings_of(profile, target):
            self._warn(line)
        return target

    def _print(self, profile: ToolProfile, shown: ConnectTarget) -> None:
        folders = _folders()
        text = shown_files(profile.files(shown, folders), home=folders.home)
        variables = shown_environment(profile.environment(shown))
        self.stdout.write("\n".join(filter(None, (text, variables))), ending="")

    def _connect(
        self,
        profile: ToolProfile,
        target: ConnectTarget,
        shown: ConnectTarget,
        options: dict[str, Any],
    ) -> None:
        if options["words"] and not options["start"]:
            self.leave("words for the tool itself need --start", WRONG_USAGE)
        program = shutil.which(profile.command[0]) if options["start"] else ""
        if program is None:
            missing = f"{profile.command[0]} is not installed"
            self.leave(f"{missing}: {profile.install}", FAILED)
        self._write(profile, profile.files(target, _folders()), shown)
        if program:
            self.stdout.flush()
            command = [*profile.command, *options["words"]]
            environment = USERS_ENVIRONMENT | profile.environment(target)
            os.execve(program, command, environment)  # noqa: S606 -- what --start is for
        self._advise(profile, shown)

    def _write(
        self, profile: ToolProfile, files: tuple[ConfigFile, ...], shown: ConnectTarget
    ) -> None:
        try:
            write_changes(changes_for(files))
        except ConfigFileError:
            # The user can still do by hand what cannot be done here.
            self._print(profile, shown)
            raise
        home = _folders().home
        for file in files:
            path = short_path(file.path, home=home)
            kept = file.path.with_name(file.path.name + BEFORE).exists()
            before = f"as it was: {path}{BEFORE}" if kept else "a new file"
            self.stdout.write(f"{path}: set for {one_line(shown.model)} ({before})")

    def _advise(self, profile: ToolProfile, shown: ConnectTarget) -> None:
        variables = shown_environment(profile.environment(shown))
        if variables:
            self.stdout.write("To be set where it is started, as --start does:")
            self.stdout.write(variables, ending="")
        if profile.advice:
            self.stdout.write(f"{profile.title}: {profile.advice}.")

    def _undo(self, profile: ToolProfile) -> None:
        # Where the files are does not depend on the model.
        folders, nobody = _folders(), ConnectTarget("", "", context_tokens=1)
        files = [f for f in profile.files(nobody, folders) if is_connected(f.path)]
        # The folders that were made for the first file go last.
        for file in reversed(files):
            later = undo_change(file.path)
            self.stdout.write(f"{short_path(file.path, home=folders.home)}: as before")
            if later:
                path = short_path(later, home=folders.home)
                self._warn(f"it was changed since: those changes are in {path}")
        if not files:
            self.stdout.write(f"Nothing of {profile.title} was changed.")

    def _warn(self, line: str) -> None:
        self.stderr.write(f"warning: {one_line(line)}")


def _is_open(address: ServerAddress) -> bool:
    try:
        ServerClient(replace(address, api_key="")).models()
    except ServerError:
        return False
    return True


def _folders() -> UserFolders:
    return UserFolders(Path.home(), os.environ)


def _tokens(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_TOKENS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MOST_TOKENS}")
    return number
