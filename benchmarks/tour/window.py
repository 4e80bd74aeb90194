"""Scipion's own windows, with a list of where everything on them is, for the hands of the tour.

``python -O window.py manager LIST`` opens the list of projects, ``python -O window.py project LIST NAME`` a project. Nothing of Scipion
is changed: a timer of Tk only writes what is visible (kind, text, place) to the JSON file LIST, again and again. With -O, because
Scipion's window else starts its installer's launcher.
"""
import json
import os
import subprocess
import sys
import tkinter
import tkinter.ttk
from typing import Any, Dict, Iterator, List, Tuple

MILLISECONDS = 300
TAB_HEIGHT = 20
CUT = "(cut)"  # after the kind of what has less room than its words need
roots: List[tkinter.Tk] = []  # of this process; matplotlib makes one for each of its windows
Item = Tuple[str, str, int, int, int, int]  # kind, text, left, top, width, height on the screen


def openManager() -> None:
    """The window with the list of projects."""
    from pyworkflow.gui.project import ProjectManagerWindow
    from pyworkflow.gui.project.viewprojects import ProjectsView

    def openProject(view: Any, name: str) -> None:
        """As Scipion's own, with this file in the place of its script; from then on the project is looked at."""
        roots.clear()
        subprocess.Popen([sys.executable, "-O", __file__, "project", sys.argv[2], name])

    ProjectsView.openProject = openProject
    ProjectManagerWindow().show()


def openProject(name: str) -> None:
    """The window of a project."""
    from pyworkflow.apps import pw_project

    pw_project.openProject(name)


def watch(path: str) -> None:
    """Write what is visible to ``path`` from now on."""
    started = tkinter.Tk.__init__
    count = 0

    def start(root: tkinter.Tk, *arguments: Any, **options: Any) -> None:
        started(root, *arguments, **options)
        roots.append(root)
        if len(roots) == 1:
            root.after(MILLISECONDS, look)

    def look() -> None:
        nonlocal count
        if not roots:
            return
        count += 1
        windows = [window for root in roots for window in toplevels(root)]
        with open(path + ".part", "w", encoding="utf-8") as stream:
            json.dump({"count": count, "process": os.getpid(), "windows": windows}, stream)
        os.replace(path + ".part", path)
        roots[0].after(MILLISECONDS, look)

    tkinter.Tk.__init__ = start


def toplevels(root: tkinter.Misc) -> Iterator[Dict[str, Any]]:
    """Visible windows with what is in each."""
    try:
        if isinstance(root, (tkinter.Tk, tkinter.Toplevel)) and root.winfo_viewable():
            yield {"title": root.title(), "place": place(root), "items": [*bar(root), *items(root)]}
        for child in root.winfo_children():
            yield from toplevels(child)
    except tkinter.TclError:  # closed meanwhile
        return


def place(widget: tkinter.Misc) -> Tuple[int, int, int, int]:
    return widget.winfo_rootx(), widget.winfo_rooty(), widget.winfo_width(), widget.winfo_height()


def items(widget: tkinter.Misc) -> Iterator[Item]:
    """What is visible in a window, without the windows that belong to it."""
    for child in widget.winfo_children():
        if isinstance(child, tkinter.Toplevel) or not child.winfo_viewable():
            continue
        if isinstance(child, tkinter.ttk.Treeview):
            yield from rows(child)
        elif isinstance(child, tkinter.ttk.Notebook):
            yield from tabs(child)
        elif isinstance(child, tkinter.Menu):
            yield from entries(child)
        elif isinstance(child, tkinter.Canvas):
            yield from pictures(child)
            yield from plots(child)
        else:
            yield (child.winfo_class() + (CUT if is_cut(child) else ""), text(child), *place(child))
        yield from items(child)


def text(widget: Any) -> str:
    if isinstance(widget, tkinter.Text):
        return str(widget.get("1.0", "end"))
    if isinstance(widget, (tkinter.Entry, tkinter.ttk.Entry)):
        return str(widget.get())
    return str(widget.cget("text")) if "text" in widget.configure() else ""


def is_cut(widget: tkinter.Misc) -> bool:
    """Whether words need more room than they have, or reach over the right edge of their window."""
    window = widget.winfo_toplevel()
    outside = widget.winfo_rootx() + widget.winfo_width() > window.winfo_rootx() + window.winfo_width()
    return widget.winfo_class() in ("Label", "Radiobutton", "Button") and (outside or widget.winfo_reqwidth() > widget.winfo_width())


def rows(tree: tkinter.ttk.Treeview, parent: str = "") -> Iterator[Item]:
    """Rows of a tree or table."""
    left, top = tree.winfo_rootx(), tree.winfo_rooty()
    for item in tree.get_children(parent):
        box = tree.bbox(item)
        if box:
            words = " ".join([str(tree.item(item, "text")), *map(str, tree.item(item, "values"))])
            yield ("Row", words, left + box[0], top + box[1], box[2], box[3])
        yield from rows(tree, item)


def tabs(book: tkinter.ttk.Notebook) -> Iterator[Item]:
    """Tabs of a form, found by asking which one lies under a point."""
    found: Dict[str, List[int]] = {}
    for x in range(0, book.winfo_width(), 5):
        number = book.tk.call(book, "identify", "tab", x, TAB_HEIGHT // 2)
        if number != "":
            found.setdefault(str(book.tab(number, "text")), []).append(x)
    for words, columns in found.items():
        yield ("Tab", words, book.winfo_rootx() + columns[0], book.winfo_rooty(), columns[-1] - columns[0], TAB_HEIGHT)


def bar(window: Any) -> Iterator[Item]:
    """Entries of the bar of menus of a window; Tk shows a copy of the menu, whose name is made from the menu's."""
    menu, call = str(window.cget("menu")), window.tk.call
    for copy in map(str, window.tk.splitlist(call("winfo", "children", window)) if menu else ()):
        if copy.endswith(menu.replace(".", "#")):
            left, top = int(call("winfo", "rootx", copy)), int(call("winfo", "rooty", copy))
            for number in range(int(call(copy, "index", "end")) + 1):
                if call(copy, "type", number) == "cascade":
                    words = str(call(copy, "entrycget", number, "-label"))
                    yield ("Menu", words, left + int(call(copy, "xposition", number)), top, 40,
                           int(call("winfo", "height", copy)))


def entries(menu: tkinter.Menu) -> Iterator[Item]:
    """Entries of an open menu."""
    for number in range((menu.index("end") or 0) + 1):
        if menu.type(number) != "separator":
            yield ("Entry of menu", menu.entrycget(number, "label"), menu.winfo_rootx(), menu.winfo_rooty() + menu.yposition(number),
                   menu.winfo_width(), 20)


def pictures(canvas: Any) -> Iterator[Item]:
    """Texts of a drawing: the runs of a project."""
    left, top = canvas.winfo_rootx(), canvas.winfo_rooty()
    for number in canvas.find_all():
        if canvas.type(number) == "text":
            first_x, first_y, end_x, end_y = canvas.bbox(number)
            x, y = left + first_x - int(canvas.canvasx(0)), top + first_y - int(canvas.canvasy(0))
            yield ("Drawn", canvas.itemcget(number, "text"), x, y, end_x - first_x, end_y - first_y)


def plots(canvas: Any) -> Iterator[Item]:
    """Axes of a figure of matplotlib, by their title or the word on their button; below them the toolbar has a canvas of its own."""
    managers = sys.modules.get("matplotlib._pylab_helpers")
    for manager in managers.Gcf.get_all_fig_managers() if managers else ():  # type: ignore[attr-defined]
        if manager.canvas.get_tk_widget() is canvas:
            left, end = canvas.winfo_rootx(), canvas.winfo_rooty() + canvas.winfo_height()
            for axes in manager.canvas.figure.axes:
                box, words = axes.get_window_extent(), [axes.get_title(), *(text.get_text() for text in axes.texts), axes.get_label()]
                yield ("Axes", next(filter(None, words), ""), int(left + box.x0), int(end - box.y1), int(box.width), int(box.height))


if __name__ == "__main__":
    watch(sys.argv[2])
    if sys.argv[1] == "manager":
        openManager()
    else:
        openProject(sys.argv[3])
