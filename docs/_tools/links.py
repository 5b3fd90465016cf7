"""Check the built site: `python docs/_tools/links.py site [--external]`.

Every link inside the site leads to a page and an anchor that are there, and no page fetches anything from elsewhere.
With `--external` every link that leaves the site is asked for once, too.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes that make a browser fetch something; a link that is only followed when clicked is not one.
FETCHED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href")}


class Page(HTMLParser):
    """The links, the fetched addresses and the anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := values.get(name))}
        if tag == "a" and (href := values.get("href")):
            self.links.append(href)
        self.fetched += [value for name, value in attrs if (tag, name) in FETCHED and value]


@dataclass(frozen=True, slots=True)
class Site:
    """The pages of a built site, by their paths in its folder."""

    folder: Path
    pages: dict[Path, Page] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Site:
        found = sorted(folder.resolve().rglob("*.html"))
        return cls(folder.resolve(), {path: Page(path.read_text(encoding="utf-8")) for path in found})

    def problems(self) -> Iterator[str]:
        """A line for each link that leads nowhere and for each thing fetched from outside."""
        for path, page in self.pages.items():
            if path.name == "404.html":  # its addresses are those of a server's root
                continue
            where = path.relative_to(self.folder)
            for address in [*page.links, *page.fetched]:
                if not urlsplit(address).scheme and (wrong := self._wrong(path, address)):
                    yield f"{where}: {address}: {wrong}"
            for address in page.fetched:
                if urlsplit(address).netloc:
                    yield f"{where}: {address}: fetched from outside"

    def _wrong(self, path: Path, address: str) -> str | None:
        parts = urlsplit(address)
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target /= "index.html"
        if not target.is_file():
            return "no such file"
        page = self.pages.get(target)
        if parts.fragment and page and unquote(parts.fragment) not in page.anchors:
            return "no such anchor"
        return None

    def external(self) -> dict[str, Path]:
        """Each address outside the site, and a page that links to it."""
        found = {link: path for path, page in self.pages.items() for link in page.links}
        return {link: path for link, path in sorted(found.items()) if urlsplit(link).scheme in ("http", "https")}


def answer(address: str) -> str | None:
    """Why an address does not answer, or None when it does."""
    request = urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0 (link check)"})
    try:
        with urllib.request.urlopen(request, timeout=20):
            return None
    except (urllib.error.URLError, OSError) as error:
        return str(error)


def main(arguments: list[str]) -> int:
    site = Site.read(Path(arguments[0]))
    problems = list(site.problems())
    external = site.external()
    if "--external" in arguments:
        problems += [f"{page.name}: {link}: {why}" for link, page in external.items() if (why := answer(link))]
    for problem in problems:
        print(problem)
    print(f"{len(site.pages)} pages, {len(external)} links that leave the site, {len(problems)} problems")
    return 1 if problems or not site.pages else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
