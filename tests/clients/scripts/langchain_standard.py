"""LangChain's standard tests of a chat model, with ChatOpenAI."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests


class TestServer(ChatModelIntegrationTests):
    """Those that the model can be asked at all; the class says which."""

    @property
    def chat_model_class(self) -> type[ChatOpenAI]:
        """What LangChain's users write."""
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        """Where it is."""
        return {
            "model": os.environ["MODEL"],
            "base_url": os.environ["SERVER"] + "/v1",
            "api_key": "none",
            "max_tokens": 400,
            "temperature": 0,
            # Or so small a model says the same until there is no room.
            "frequency_penalty": 1.0,
            "max_retries": 0,
            "stream_usage": True,
        }

    @property
    def supports_json_mode(self) -> bool:
        """It has one."""
        return True


class Ends:
    """How many tests ended how, and which failed."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one."""
        name = report.nodeid.rpartition("::")[2]
        if report.failed:
            self.failed.append(name)
        elif report.when == "call" and report.passed:
            self.passed += 1


if __name__ == "__main__":
    ends = Ends()
    # Its client is one for all tests, and so has to be their event loop.
    loops = [f"-oasyncio_default_{of}_loop_scope=session" for of in ("test", "fixture")]
    options = ["-q", "-p", "no:cacheprovider", "-oasyncio_mode=auto", *loops]
    pytest.main([*options, __file__, *sys.argv[1:]], plugins=[ends])
    print(json.dumps({"passed": ends.passed, "failed": sorted(set(ends.failed))}))
