"""``streamproof samples``: make files to try a replay with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress as Bar

from streamproof.console import Output, shown, stderr
from streamproof.flags.common import JsonFlag

if TYPE_CHECKING:
    from producer.samples import Sizes


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(samples)


def samples(
    folder: Annotated[Path, typer.Argument(help="Folder to write the files to; it is made if need be.")],
    *,
    clicks: Annotated[int, typer.Option("--clicks", help="Clicks, over all files.")] = 5_000,
    articles: Annotated[int, typer.Option("--articles", help="Articles of the catalogue.")] = 400,
    hours: Annotated[
        int, typer.Option("--hours", help="Hours, each with a file of the sessions that begin in it.")
    ] = 6,
    seed: Annotated[int, typer.Option("--seed", help="The same seed and sizes give the same bytes.")] = 1,
    replace: Annotated[bool, typer.Option("--replace", help="Remove such files that the folder has already.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make clicks and articles of a news portal, in the public format of Globo.com's, to try a replay with.

    Sessions have a start, dwell times and as many clicks as they say; users keep their devices; articles are read
    after they were created, some far more than others, and news fades. Millions of rows take little memory.
    """
    from producer.samples import Sizes, write_samples
    from streamproof.signals import stop_on_signals

    sizes, began = Sizes(clicks=clicks, articles=articles, hours=hours, seed=seed), time.monotonic()
    with stop_on_signals() as stop, _progress(sizes) as progress:
        written = write_samples(folder, sizes, replace=replace, stop=stop, progress=progress)
    seconds = time.monotonic() - began
    output = Output(as_json)
    output.show(
        f"{written.clicks:,} clicks in {written.files:,} files, and {written.articles:,} articles: "
        f"{written.size_bytes / 1e6:,.1f} MB in {shown(str(folder))}, {written.clicks / seconds:,.0f} clicks/s",
    )
    output.document(
        {
            "folder": str(folder.resolve()),
            "clicks": written.clicks,
            "articles": written.articles,
            "files": written.files,
            "size_bytes": written.size_bytes,
            "seed": seed,
            "seconds": round(seconds, 3),
        }
    )


@contextmanager
def _progress(sizes: Sizes) -> Iterator[Callable[[int], None]]:
    """Yield what to call with the clicks that are written by now; a bar on a terminal."""
    if not stderr.is_terminal:
        yield lambda _: None
        return
    with Bar(console=stderr, transient=True) as bar:
        task = bar.add_task("writing clicks", total=sizes.clicks)
        yield lambda clicks: bar.update(task, completed=clicks)
