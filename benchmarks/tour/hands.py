"""Mouse and keyboard for Scipion's windows on a virtual screen: what is there is told by :mod:`window`, what is done is done by xdotool."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

HERE = Path(__file__).resolve().parent
PROGRAMS = ("Xvfb", "openbox", "xdotool", "import", "convert")
SCREEN = "1600x1000"
FRAME = 4  # pixels of a window's border
CORNER = (1598, 998)  # nothing is there
PATIENCE = 300.0  # seconds until something that should be on the screen is missed; a busy machine opens windows slowly
COLOURS, FEWEST = 64, 12  # of a screenshot; windows have few, so the files become small
LARGEST = 150_000  # bytes of a screenshot; pictures of noise get fewer colours


class Item(NamedTuple):
    """Something visible: its kind (class of the widget), text, and place on the screen in pixels."""

    kind: str
    text: str
    left: int
    top: int
    width: int
    height: int

    @property
    def middle(self) -> Tuple[int, int]:
        return self.left + self.width // 2, self.top + self.height // 2


def is_whole(row: Item, seen: List[Item]) -> bool:
    """Whether a row is not cut by the lower edge of its list, which ends with the scrollbar to its right."""
    bars = [item for item in seen if item.kind == "Scrollbar" and item.height > item.width and item.left > row.left
            and item.top <= row.top <= item.top + item.height]
    bar = min(bars, key=lambda item: item.left, default=row)
    return row.top + row.height <= bar.top + bar.height


class Hands:
    """A virtual screen with a window manager and Scipion's windows on it, closed at the end of a ``with``."""

    def __init__(self, folder: Path, images: Path) -> None:
        self.list, self.images = folder / "windows.json", images
        images.mkdir(parents=True, exist_ok=True)
        self.programs: List[Any] = []
        reading, writing = os.pipe()
        self._start(["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{SCREEN}x24"], pass_fds=[writing])
        os.close(writing)
        with os.fdopen(reading) as stream:
            os.environ["DISPLAY"] = ":" + stream.readline().strip()
        self._start(["openbox"])

    def __enter__(self) -> "Hands":
        return self

    def __exit__(self, *details: Any) -> None:
        for process in reversed(self.programs):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()

    def _start(self, command: List[str], **options: Any) -> None:
        self.programs.append(subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL, **options))

    def open_manager(self, log: Path) -> None:
        """Open the list of projects; the project's window that it opens belongs to the same group of processes."""
        with log.open("w") as stream:
            command = [sys.executable, "-O", str(HERE / "window.py"), "manager", str(self.list)]
            self.programs.append(subprocess.Popen(command, start_new_session=True, stdout=stream, stderr=subprocess.STDOUT))

    # --------------------------- eyes ---------------------------------------
    def windows(self) -> List[Dict[str, Any]]:
        """The windows on the screen, as they are now: the list is read when it was written anew."""
        before, end = self._read().get("count"), time.monotonic() + PATIENCE
        while time.monotonic() < end:
            seen = self._read()
            if seen.get("count") not in (None, before):
                return seen["windows"]
            time.sleep(0.1)
        raise SystemExit("error: Scipion's window does not answer")

    def _read(self) -> Dict[str, Any]:
        return json.loads(self.list.read_text(encoding="utf-8")) if self.list.is_file() else {}

    def items(self, window: str = "") -> List[Item]:
        """What is on the windows whose title holds ``window``; those opened last come first."""
        return [Item(*item) for seen in reversed(self.windows()) if window in seen["title"] for item in seen["items"]]

    def find(self, text: str, kind: str = "", window: str = "", patience: float = PATIENCE) -> Item:
        """The first thing with this text, waited for; whole text before its beginning."""
        end = time.monotonic() + patience
        while True:
            seen = [item for item in self.items(window) if kind in item.kind]
            found = [item for item in seen if item.text.strip() == text] or [item for item in seen if item.text.strip().startswith(text)]
            if found:
                return found[0]
            if time.monotonic() > end:
                self.shoot("failure")
                raise SystemExit(f"error: no {kind or 'thing'} '{text}' on the screen; see {self.images / 'failure.png'}")

    def wait(self, condition: Callable[[], bool], patience: float, what: str) -> None:
        """Wait until something is so."""
        end = time.monotonic() + patience
        while not condition():
            if time.monotonic() > end:
                self.shoot("failure")
                raise SystemExit(f"error: {what} took more than {patience:.0f} s")
            time.sleep(0.5)

    def beside(self, label: str, kind: str, window: str = "", last: bool = False) -> Item:
        """The first thing of a kind to the right of a label, or the last one."""
        words = self.find(label, "Label", window)
        row = [item for item in self.items(window) if kind in item.kind and abs(item.middle[1] - words.middle[1]) < 12
               and item.left >= words.left + words.width]
        if not row:
            raise SystemExit(f"error: nothing to fill beside '{label}'")
        return sorted(row, key=lambda item: item.left)[-1 if last else 0]

    # --------------------------- hands --------------------------------------
    def do(self, *words: Any) -> None:
        subprocess.run(["xdotool", *map(str, words)], check=True)
        time.sleep(0.2)

    def click(self, item: Item, button: int = 1, times: int = 1) -> None:
        """Move there and press."""
        self.do("mousemove", *item.middle)
        self.do("click", "--repeat", times, "--delay", 80, button)

    def drag(self, place: Tuple[int, int], column: int) -> None:
        """Hold the button down at a place and move it to a column of the screen."""
        self.do("mousemove", *place, "mousedown", 1)
        for x in (place[0] + 10, column - 10, column):  # a border follows moves, not jumps
            self.do("mousemove", x, place[1])
        self.do("mouseup", 1)

    def press(self, text: str, kind: str = "", window: str = "", times: int = 1, button: int = 1) -> None:
        """Click on what has this text."""
        self.click(self.find(text, kind, window), button, times)

    def fill(self, label: str, value: Any, window: str = "") -> None:
        """Type a value over what is in the field beside a label."""
        self.click(self.beside(label, "Entry", window))
        self.do("key", "Home", "shift+End")
        self.do("type", "--delay", 5, str(value))

    def scroll_to(self, text: str) -> None:
        """Turn the wheel over the menu of protocols, which is left of all other lists, until a row is visible."""
        self.scrolled(lambda row: row.text.strip() == text, f"protocol '{text}' in the menu", min, 5)

    def scrolled(self, wanted: Callable[[Item], bool], what: str, side: Callable[..., Item], clicks: int) -> Item:
        """The row that is wanted, the wheel turned by some clicks until it is visible, down from the top of the list at that side."""
        for turn in range(60):
            seen = self.items()
            rows = [item for item in seen if item.kind == "Row"]
            if found := [row for row in rows if wanted(row) and is_whole(row, seen)]:
                return found[0]
            up, down = 4, 5  # X's numbers of the wheel
            place = side(rows, key=lambda row: row.left).middle
            self.do("mousemove", *place, "click", "--repeat", 200 if turn == 0 else clicks, "--delay", 5, up if turn == 0 else down)
        raise SystemExit(f"error: no {what}")

    def move(self, title: str, left: int, top: int) -> None:
        """Put a window somewhere, on top of the others; further left when it would reach over the screen."""
        self.wait(lambda: bool(self._numbers(title)), PATIENCE, f"opening the window '{title}'")
        number = self._numbers(title)[-1]
        command = ["xdotool", "getwindowgeometry", "--shell", number]
        width = int(dict(line.split("=") for line in subprocess.check_output(command, text=True).split())["WIDTH"])
        self.do("windowmove", number, max(0, min(left, CORNER[0] - FRAME - width)), top)
        self.do("windowraise", number)

    def close(self, title: str) -> None:
        """Close a window as its button does."""
        for number in self._numbers(title):
            self.do("windowactivate", "--sync", number, "key", "alt+F4")

    @staticmethod
    def _numbers(title: str) -> List[str]:
        """X's numbers of the visible windows whose title begins so."""
        command = ["xdotool", "search", "--onlyvisible", "--name", f"^ *{title}"]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout.split()

    def shoot(self, name: str) -> None:
        """Keep what the screen shows, without the pointer, which would open a hint."""
        path = self.images / f"{name}.png"
        self.do("mousemove", *CORNER)
        time.sleep(1.5)
        subprocess.run(["import", "-window", "root", str(path)], check=True)
        whole, colours = path.read_bytes(), COLOURS
        while len(smaller := self._quantised(whole, colours)) > LARGEST and colours > FEWEST:
            colours = colours * 3 // 4
        path.write_bytes(smaller)

    @staticmethod
    def _quantised(picture: bytes, colours: int) -> bytes:
        """A PNG picture with fewer colours."""
        command = ["convert", "-", "-dither", "None", "-colors", str(colours), "PNG8:-"]
        return subprocess.run(command, input=picture, check=True, capture_output=True).stdout
