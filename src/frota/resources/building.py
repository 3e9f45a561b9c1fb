"""Parser events to documents: plain values, and where each of them stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from yaml import events

from frota.resources.errors import Path, Problem, path_text, quoted, shown
from frota.resources.scalars import Trap, resolve

DEPTH_MOST = 64  # collections within collections
ALIASED_MOST = 100_000  # values that aliases add to one document

Mark = tuple[int, int]  # line and column, from 1
_Marks = dict[str, tuple[Mark, Mark]] | list[Mark]  # of (key, value), or of items


@dataclass(slots=True)
class Document:
    """One document. ``broken``: keys had to be left out, so that the absence of a field
    proves nothing. ``value`` must not be changed: aliases share parts of it."""

    file: str
    value: Any
    mark: Mark
    marks: dict[int, _Marks] = field(default_factory=dict)
    broken: bool = False

    def locate(self, path: Path, *, key: bool = False) -> Mark:
        """Where the value at ``path`` stands (with ``key``: its key), or else the nearest
        thing around it that exists."""
        mark, value = self.mark, self.value
        for depth, part in enumerate(path):
            marks = self.marks.get(id(value))
            if isinstance(marks, dict) and isinstance(part, str) and part in marks:
                key_mark, value_mark = marks[part]
                last = depth == len(path) - 1
                mark = key_mark if key or not last else value_mark
            elif isinstance(marks, list) and isinstance(part, int) and part < len(marks):
                mark = marks[part]
            else:
                break
            value = value[part]
        return mark


@dataclass(slots=True)
class _Frame:
    """A collection that is being filled. ``key`` is the one whose value comes next;
    ``skip`` says that this value is to be dropped."""

    value: dict[str, Any] | list[Any]
    marks: _Marks
    mark: Mark
    anchor: str | None
    key: str | None = None
    key_mark: Mark = (0, 0)
    skip: bool = False
    is_key: bool = False  # the collection itself stands where a key must
    size: int = 1


class Builder:
    """Takes the events of one file in order; fills ``documents`` and ``problems``."""

    def __init__(self, file: str) -> None:
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self.document_line = -1  # where the present document begins, from 0
        self.gave_up = False  # on the present document, for its size: begin anew after it
        self._file = file
        self._offset = 0
        self._reset()

    def begin(self, first_line: int) -> None:
        """Start anew with text whose first line is this one of the file (from 0)."""
        self._offset = first_line
        self.gave_up = False
        self._reset()

    def take(self, event: events.Event) -> None:
        """One event more."""
        if isinstance(event, events.DocumentStartEvent):
            self._reset()
            self.document_line = self._mark(event)[0] - 1
        elif isinstance(event, events.DocumentEndEvent):
            self._end_document()
        elif isinstance(event, events.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, events.AliasEvent):
            self._alias(event)
        elif isinstance(event, events.CollectionStartEvent):
            self._open(event)
        elif isinstance(event, events.CollectionEndEvent):
            self._close()

    def _reset(self) -> None:
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._marks: dict[int, _Marks] = {}
        self._root: tuple[Any, Mark] | None = None
        self._aliased = 0
        self._broken = False

    def _end_document(self) -> None:
        if self._root is not None:
            value, mark = self._root
            if value is not None:
                self.documents.append(Document(self._file, value, mark, self._marks, self._broken))
        self._reset()

    def _mark(self, event: events.Event) -> Mark:
        mark = event.start_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        return line + self._offset + 1, column + 1

    def _scalar(self, event: events.ScalarEvent) -> None:
        mark = self._mark(event)
        value: Any = event.value
        if event.tag is not None:
            self._refuse(mark, "no tags", f"the tag {quoted(event.tag)}", "take the tag away")
        elif event.implicit[0]:
            value = resolve(event.value)
            if self._awaits_key():
                value = self._plain_key(event.value, value, mark)
            elif isinstance(value, Trap):
                self._refuse_word(mark, value)
                value = None
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        self._put(value, mark, 1)

    def _plain_key(self, word: str, value: Any, mark: Mark) -> Any:
        if isinstance(value, str) and word != "<<":
            return value
        if word == "<<":
            hint = "repeat the fields here"
            self._refuse(mark, "a field", "<<, a merge that only YAML 1.1 knows", hint)
        else:
            meaning = value.found if isinstance(value, Trap) else shown(value)
            hint = f"write {quoted(word)}"
            self._refuse(mark, "text as a key", meaning, hint)
        return None

    def _alias(self, event: events.AliasEvent) -> None:
        mark = self._mark(event)
        name = event.anchor or ""
        if name not in self._anchors:
            inside = any(frame.anchor == name for frame in self._stack)
            expected = "an alias outside its own anchor" if inside else "an anchor before its alias"
            self._refuse(mark, expected, f"*{name}")
            self._put(None, mark, 1)
            return
        value, size = self._anchors[name]
        self._aliased += size
        if self._aliased > ALIASED_MOST:
            expected = f"aliases that add at most {ALIASED_MOST} values"
            self._stop(mark, expected, "more: aliases of aliases")
            return
        if self._awaits_key() and not isinstance(value, str):
            self._refuse(mark, "text as a key", f"*{name}")
            value = None
        self._put(value, mark, size)

    def _open(self, event: events.CollectionStartEvent) -> None:
        mark = self._mark(event)
        if event.tag is not None:
            self._refuse(mark, "no tags", f"the tag {quoted(event.tag)}", "take the tag away")
        if len(self._stack) >= DEPTH_MOST:
            self._stop(mark, f"at most {DEPTH_MOST} levels of nesting", "more")
            return
        mapping = isinstance(event, events.MappingStartEvent)
        frame = _Frame({} if mapping else [], {} if mapping else [], mark, event.anchor)
        if self._awaits_key():
            self._refuse(mark, "text as a key", "a mapping" if mapping else "a list")
            frame.is_key = True
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        self._marks[id(frame.value)] = frame.marks
        self._stack.append(frame)

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.value, frame.size)
        self._put(None if frame.is_key else frame.value, frame.mark, frame.size)

    def _awaits_key(self) -> bool:
        if not self._stack:
            return False
        top = self._stack[-1]
        return isinstance(top.value, dict) and top.key is None and not top.skip

    def _put(self, value: Any, mark: Mark, size: int) -> None:
        """Give a finished value (or key) to the collection it stands in."""
        if not self._stack:
            self._root = (value, mark)
            return
        top = self._stack[-1]
        top.size += size
        if isinstance(top.value, list) and isinstance(top.marks, list):
            top.value.append(value)
            top.marks.append(mark)
        elif isinstance(top.value, dict) and isinstance(top.marks, dict):
            if top.key is None and not top.skip:
                self._put_key(top, value, mark)
            else:
                if top.key is not None and not top.skip:
                    top.value[top.key] = value
                    top.marks[top.key] = (top.key_mark, mark)
                top.key, top.skip = None, False

    def _put_key(self, top: _Frame, key: Any, mark: Mark) -> None:
        if not isinstance(key, str):  # refused before, where the reason was known
            top.skip = True
            self._broken = True
            return
        top.key, top.key_mark = key, mark
        if key in top.value and isinstance(top.marks, dict):
            line = top.marks[key][0][0]
            self._refuse(mark, "each key once", f"{quoted(key)} again, first at line {line}")
            top.skip = True

    def _path(self) -> Path:
        parts = (f.key if isinstance(f.value, dict) else len(f.value) for f in self._stack)
        return tuple(part for part in parts if part is not None)

    def _refuse_word(self, mark: Mark, trap: Trap) -> None:
        found = shown(trap.found, self._path())
        if found != shown(trap.found):
            self._refuse(mark, trap.expected, found, "put it in quotes")
        else:
            self._refuse(mark, trap.expected, trap.found, trap.hint)

    def _refuse(self, mark: Mark, expected: str, found: str, hint: str = "") -> None:
        path = path_text(self._path())
        self.problems.append(Problem(self._file, *mark, path, expected, found, hint))

    def _stop(self, mark: Mark, expected: str, found: str) -> None:
        """Give up on this document: what is left of it cannot be trusted."""
        self.problems.append(Problem(self._file, *mark, "", expected, found))
        self.gave_up = True
