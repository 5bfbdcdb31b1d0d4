"""Records: answers that have all that answers of services have, members and headers.

A record is a function of its name and of the page that is asked for, whatever the name is; only its
note is state, of the instance that got it.
"""

import json
from collections import OrderedDict
from functools import lru_cache

from .network import Json, day, fraction, hexadecimal

ENTRIES = 3
"""Entries of a page."""
PAGES = 1_000_000
NOTES = 10_000
"""Records whose note is kept."""


class Notes:
    """The notes of one instance."""

    def __init__(self) -> None:
        self._notes: OrderedDict[str, str] = OrderedDict()

    def store(self, name: str, note: str) -> None:
        """Keep a note; the oldest is forgotten when there is no room."""
        self._notes[name] = note
        self._notes.move_to_end(name)
        if len(self._notes) > NOTES:
            self._notes.popitem(last=False)

    def find(self, name: str) -> str:
        """Return the note of a record; empty where there is none."""
        return self._notes.get(name, "")


def record(name: str, page: int, *, shift: int = 0) -> Json:
    """Give one page of a record, about 1 KB of JSON; `shift` begins it so many entries late."""
    found: Json = json.loads(_text(name, page, shift))
    return found


@lru_cache(maxsize=4096)
def _text(name: str, page: int, shift: int) -> str:
    first = (page - 1) * ENTRIES + shift
    entries = [_entry(name, number) for number in range(first, first + ENTRIES)]
    total = round(1000 + sum(entry["price"] for entry in entries), 2)
    return json.dumps(
        {
            "record_id": hexadecimal("record", name),
            "owner": {"name": "Zoë Åström", "account": hexadecimal("owner", name, str(page))},
            "state": "ACTIVE",
            "archived": False,
            "opened_at": f"{day(fraction(name, str(page), 'opened'))}T10:11:12Z",
            "due_on": day(fraction(name, str(page), "due")),
            "score": round(0.2 + fraction(name, str(page), "score") / 2, 6),
            "cost": {"currency": "EUR", "total": total, "shown": f"{total:,.2f}"},
            "entries": entries,
            "page": {"number": page, "size": ENTRIES, "of": PAGES},
        }
    )


def _entry(name: str, number: int) -> Json:
    draw = fraction(name, "entry", str(number))
    return {
        "number": number + 1,
        "id": hexadecimal("entry", name, str(number)),
        "title": f"entry {'abcdefgh'[int(draw * 8)]}",
        "price": round(1 + 99 * draw, 2),
    }


def headers(name: str, page: int) -> dict[str, str]:
    """Give the headers of such an answer."""
    return {
        "Cache-Control": "private, max-age=60",
        "Content-Language": "en",
        "ETag": f'"{hexadecimal("tag", name, str(page))}"',
        "Link": f'</api/v1/records/{name}?page={page + 1}>; rel="next"',
        "Set-Cookie": f"session={hexadecimal('session', name)}; Path=/; HttpOnly",
    }
