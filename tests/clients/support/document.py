"""A document of the project as its reader sees it: sections, and what is quoted in them.

Owns the reading of Markdown as far as the tests need it. A quotation is what stands between back
quotes; in it "…" stands for what differs from case to case, and so do words in capitals with
nothing else in them, such as USER.
"""

from __future__ import annotations

import pathlib
import re

DOCUMENTS = pathlib.Path(__file__).resolve().parents[3] / "docs"


class Document:
    def __init__(self, name: str):
        parts = re.split(r"^## ", (DOCUMENTS / name).read_text(), flags=re.MULTILINE)[1:]
        self._sections = {}
        for part in parts:
            heading, _, text = part.partition("\n")
            self._sections[heading.strip()] = text

    @property
    def headings(self) -> list[str]:
        return list(self._sections)

    def lines(self, heading: str) -> list[str]:
        """The section as it is written."""
        return self._sections[heading].splitlines()

    def text(self, heading: str) -> str:
        """The section with its lines joined."""
        return " ".join(self._sections[heading].split())

    def quotations(self, heading: str) -> list[str]:
        return re.findall(r"`([^`]+)`", self.text(heading))

    def quotation(self, heading: str, part: str) -> str:
        """The one quotation of the section that holds `part`."""
        [found] = [quoted for quoted in self.quotations(heading) if part in quoted]
        return found


def says(said: str, quoted: str) -> bool:
    """Whether a program said what the document quotes."""
    pattern = ".*".join(re.escape(part) for part in quoted.split("…"))
    return re.search(pattern, said, flags=re.DOTALL) is not None
