"""The repository as a site: pages beside docs/ are taken in, links between files made the site's.

Files keep the links that work where they lie, as on a code host; mkdocs knows those in docs/ alone.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "results/README.md",
    "benchmarks/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
)
LINK = re.compile(r"(\]\()([^)\s#]+)([^)]*\))")


def place(path: str) -> str:
    """Where a file of the repository lies in the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return re.sub(r"README\.md$", "index.md", path)


def on_files(files: Files, *, config: Any) -> Files:
    """Take in the pages beside docs/, and the figures that pages show."""
    for path in PAGES:
        text = (ROOT / path).read_text()
        files.append(File.generated(config, place(path), content=linked(text, path)))
    for figure in sorted(ROOT.glob("results/*/figures/*.png")):
        path = figure.relative_to(ROOT).as_posix()
        files.append(File.generated(config, path, abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The links of a page in docs/."""
    inside = page.file.generated_by is None
    return linked(markdown, f"docs/{page.file.src_uri}") if inside else markdown


def linked(text: str, path: str) -> str:
    """The text of a file of the repository, its links to other files those of the site."""
    here = posixpath.dirname(place(path))

    def replace(match: re.Match[str]) -> str:
        target = match[2]
        if "://" in target:
            return match[0]
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if there.endswith((".md", ".png")):
            there = posixpath.relpath(place(there), here or ".")
        return f"{match[1]}{there}{match[3]}"

    return LINK.sub(replace, text)
