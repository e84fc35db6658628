"""The chat page as a person uses it: what is typed, clicked and seen."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.e2e.servers import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

PATIENCE_S = 60.0
COUNT = "Count to twenty."
ANSWER = "#turns .turn.model:last-child"

# Every way out of a text that a browser knows, in one answer.
HOSTILE = """Hi <script>window.caught = 1</script>

<img src=x onerror="window.caught = 2"> <svg onload="window.caught = 3">

[press](javascript:window.caught=4) [data](data:text/html,<script>1</script>) \
[file](file:///etc/passwd) [good](https://example.org/a "title") <https://example.org/b>

![beacon](/health?beacon) ![js](javascript:window.caught=5)

<iframe src="/admin/"></iframe><form action="/admin/logout/"><input name=x></form>
<style>body { display: none }</style><div class="gate" style="position:fixed">dressed up</div>

| a | b |
|--:|:-:|
| 1 | <b onmouseover="window.caught = 6">2</b> |

```html
<script>window.caught = 7</script>
```
"""


class ChatPage:
    """The page in a browser."""

    def __init__(self, driver: Chrome, base_url: str) -> None:
        self.driver = driver
        self.url = f"{base_url}/chat/"

    def open(self, *, connected: bool = True) -> ChatPage:
        """Go there; with `connected`, wait for the server."""
        self.driver.get(self.url)
        if connected:
            self.wait_connected()
        return self

    def wait_connected(self) -> None:
        """Wait until the server has said which models it has."""
        wait_until(lambda: self.link_state == "connected", "a connection", PATIENCE_S)

    def one(self, selector: str) -> WebElement:
        """Return the first element of a selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Return what an element shows, found and read at once; "" for none."""
        script = "return document.querySelector(arguments[0])?.innerText.trim() ?? ''"
        return str(self.driver.execute_script(script, selector))

    def count(self, selector: str) -> int:
        """Return how many elements there are."""
        return len(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def run(self, script: str, *values: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *values)

    @property
    def link_state(self) -> str:
        """How the connection stands."""
        # Between two pages there is none.
        script = "return document.getElementById('link')?.dataset.link ?? ''"
        return str(self.run(script))

    @property
    def focused(self) -> str:
        """The id of what has the focus."""
        return str(self.run("return document.activeElement.id"))

    def choose(self, model: str) -> None:
        """Choose a model by its key."""
        self.run(
            "const s = document.getElementById('model'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('change', {bubbles: true}))",
            model,
        )

    def press(self, *keys: str) -> None:
        """Press keys, whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def click(self, selector: str) -> None:
        """Click on the first of a selector."""
        self.one(selector).click()

    def set(self, parameter: str, value: object) -> None:
        """Write into a field of the parameters."""
        text = value if isinstance(value, str) else json.dumps(value)
        self.run(
            "const f = document.querySelector(`[data-param=${arguments[0]}]`);"
            "f.value = arguments[1]; f.dispatchEvent(new Event('input', {bubbles: true}))",
            parameter,
            text,
        )

    def say(self, text: str) -> None:
        """Write a message and send it with Enter."""
        box = self.one("#say")
        box.send_keys(text)
        box.send_keys(Keys.ENTER)

    def is_answering(self) -> bool:
        """Whether an answer is coming."""
        return self.count(".turn.running") > 0

    def wait_text(self) -> None:
        """Wait until something of the answer is there."""
        said = f"{ANSWER} .said"
        wait_until(lambda: self.text(said) != "", "the first words", PATIENCE_S)

    def wait_end(self) -> str:
        """Wait until the answer has ended; return what it says."""

        def has_ended() -> bool:
            return self.count(ANSWER) > 0 and not self.is_answering()

        wait_until(has_ended, "the end of the answer", PATIENCE_S)
        return self.text(f"{ANSWER} .said")

    def ask(self, text: str) -> str:
        """Send a message and return the whole answer."""
        before = self.count(".turn")
        self.say(text)
        wait_until(lambda: self.count(".turn") > before, "the turn", PATIENCE_S)
        return self.wait_end()

    def attach(self, *files: Path) -> None:
        """Choose files with the button's dialog."""
        self.one("#file").send_keys("\n".join(str(file) for file in files))

    def complaints(self) -> list[str]:
        """Return what the browser's console holds, and empty it."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]

    def ask_the_rambler(self) -> None:
        """Begin an answer that does not end by itself."""
        self.choose("rambler")
        self.set("max_tokens", 100_000)
        self.set("temperature", 0)
        self.say("Hello")

    def hand_over(self, how: str, content: bytes, kind: str) -> None:
        """Paste or drop a file, as the browser tells the page of it."""
        self.run(
            """
            const [how, content, type] = arguments;
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], 'handed over', {type}));
            const told = {bubbles: true, cancelable: true};
            const box = document.getElementById('say');
            box.dispatchEvent(how === 'paste'
                ? new ClipboardEvent('paste', {...told, clipboardData: transfer})
                : new DragEvent('drop', {...told, dataTransfer: transfer}));
            """,
            how,
            base64.b64encode(content).decode(),
            kind,
        )
