"""What can be watched: titles with consistent attributes, skewed popularity, search words and shelves to recommend.

One catalogue for a seed: all shards of a run offer the same titles.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from faker import Faker

from producer.toolkit.draws import Floats, Ints, cumulative, draw

MOVIES, SERIES, DOCUMENTARIES, SPORTS = 1100, 180, 350, 250
TYPES = ("movie", "series", "documentary", "sports")
GENRES = {
    "movie": ("drama", "comedy", "action", "thriller", "science fiction", "romance", "horror", "animation"),
    "series": ("drama", "comedy", "crime", "science fiction", "fantasy", "thriller", "animation"),
    "documentary": ("nature", "history", "science", "true crime"),
    "sports": ("football", "basketball", "tennis", "motorsport"),
}
# Running time, seconds: lowest and highest.
DURATIONS = {"movie": (4800, 9000), "series": (1260, 3600), "documentary": (2400, 6000), "sports": (5400, 8400)}
LANGUAGES = ("en", "es", "fr", "de", "ja", "ko", "hi", "pt", "it")
_LANGUAGE_SHARES = (0.58, 0.10, 0.06, 0.05, 0.06, 0.06, 0.04, 0.03, 0.02)
# Popularity of the title of rank r is proportional to r^-0.95 (Zipf); each later episode keeps 97 % of the one before.
ZIPF_EXPONENT = 0.95
_EPISODE_KEEP = 0.97
_EPISODE_VARIES_S = 120
_OLDEST_YEARS = 60
# An odd multiplier is a bijection modulo 2^48: catalogue ids look drawn and never meet.
_SCATTER = 0x9E3779B97F4B
# Titles of one genre that a recommendation may show, and how many different lists are kept.
SHELF_SIZE = 18
_SHELVES = 2048
QUERIES_PER_TITLE = 3


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Titles (an episode is one) as a pool that events take from, with what is needed to choose among them.

    ``by_genre`` holds, one genre after the other, ``genre number + cumulative share`` for the titles ``genre_order``:
    one sorted array, so that one search draws titles of many genres at once.
    ``following`` is the next episode, -1 after the last and for what is not a series; ``first`` the series' first one,
    -1 for what is none. Both are places in ``contents``.
    ``queries[QUERIES_PER_TITLE * title + k]`` is a search that finds ``title``; ``results`` is how many it finds.
    """

    contents: pa.StructArray
    following: Ints
    first: Ints
    ids: pa.StringArray
    duration: Ints
    genre_weights: Floats
    overall: Floats
    by_genre: Floats
    genre_order: Ints
    queries: pa.StringArray
    results: Ints
    shelves: Ints
    shelf_algorithm: Ints

    def choose(self, rng: np.random.Generator, genre: Ints, taste: float) -> Ints:
        """Return a title for each of ``genre``: of that genre with probability ``taste``, else of any."""
        size = len(genre)
        tasteful = self.genre_order[np.searchsorted(self.by_genre, genre + rng.random(size), side="right")]
        return np.where(rng.random(size) < taste, tasteful, draw(rng, self.overall, size))


_CATALOGUE_STREAM = 2


def build_catalogue(seed: int, *, before_year: int) -> Catalogue:
    """Return the catalogue of a seed. Everything was released before the first of January of ``before_year``."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, _CATALOGUE_STREAM]))
    entries, weights = _episodes(rng, _titles(rng, seed, before_year), before_year)
    genres = sorted({genre for group in GENRES.values() for genre in group})
    genre = np.array([genres.index(str(entry["genre"])) for entry in entries], dtype=np.int64)
    genre_order = np.argsort(genre, kind="stable")
    genre_weights = np.bincount(genre, weights=weights, minlength=len(genres)).astype(np.float64)
    by_genre = np.concatenate([number + cumulative(weights[genre == number]) for number in range(len(genres))])
    overall = cumulative(weights)
    queries, results = _queries(entries)
    algorithm, shelves = _shelves(rng, weights, genre)
    contents: Any = pa.array(entries, type=_CONTENT)
    first, following = _episode_order(entries)
    return Catalogue(
        contents=contents,
        following=following,
        first=first,
        ids=contents.field("id"),
        duration=np.array([entry["duration"] for entry in entries], dtype=np.int64),
        genre_weights=genre_weights,
        overall=overall,
        by_genre=by_genre,
        genre_order=genre_order,
        queries=queries,
        results=results,
        shelves=shelves,
        shelf_algorithm=algorithm,
    )


_CONTENT = pa.struct(
    [
        ("id", pa.string()),
        ("title", pa.string()),
        ("type", pa.string()),
        ("episode", pa.int32()),
        ("season", pa.int32()),
        ("provider", pa.string()),
        ("genre", pa.string()),
        ("release_year", pa.int32()),
        ("duration", pa.int32()),
        ("language", pa.string()),
    ]
)
_Entry = dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class _Title:
    """A title before its episodes are laid out; ``release_year`` is that of the first season."""

    title: str
    type: str
    provider: str
    genre: str
    release_year: int
    duration: int
    language: str

    def entry(self, number: int, **differs: int | None) -> _Entry:
        """Return catalogue entry ``number`` of this title."""
        return (
            {name: getattr(self, name) for name in self.__slots__}  # not asdict, which copies deeply: half of a start
            | {"id": f"ttl_{(number + 1) * _SCATTER % 2**48:012x}", "season": None, "episode": None}
            | differs
        )


def _titles(rng: np.random.Generator, seed: int, before_year: int) -> list[_Title]:
    """Return the titles in order of popularity."""
    fake = Faker("en_US")
    fake.seed_instance(seed)
    adjectives = [word.capitalize() for word in fake.words(280, unique=True, part_of_speech="adjective")]
    nouns = [word.capitalize() for word in fake.words(700, unique=True, part_of_speech="noun")]
    towns = [fake.unique.city() for _ in range(SPORTS + 1)]
    providers = [fake.unique.company() for _ in range(14)]
    kinds = np.repeat(TYPES, (MOVIES, SERIES, DOCUMENTARIES, SPORTS)).tolist()
    # A number below adjectives * nouns is a pair of words, so numbers without repetition are distinct titles.
    pairs = rng.choice(len(adjectives) * len(nouns), size=len(kinds), replace=False).tolist()
    languages = draw(rng, cumulative(_LANGUAGE_SHARES), len(kinds)).tolist()
    ages = np.minimum(rng.geometric(0.11, len(kinds)), _OLDEST_YEARS).tolist()
    titles: list[_Title] = []
    for number, (kind, pair, language, age) in enumerate(zip(kinds, pairs, languages, ages, strict=True)):
        if kind == "sports":
            match = number - (MOVIES + SERIES + DOCUMENTARIES)
            text, years = f"{towns[match]} v {towns[match + 1]}", min(age, 3)
        else:
            noun, adjective = divmod(pair, len(adjectives))
            text, years = f"{'The ' if pair % 3 else ''}{adjectives[adjective]} {nouns[noun]}", age
        titles.append(
            _Title(
                title=text,
                type=kind,
                provider=providers[int(rng.integers(len(providers)))],
                genre=GENRES[kind][int(rng.integers(len(GENRES[kind])))],
                release_year=before_year - years,
                duration=int(rng.integers(*DURATIONS[kind])),
                language=LANGUAGES[language],
            )
        )
    return [titles[place] for place in rng.permutation(len(titles))]


def _episodes(rng: np.random.Generator, titles: list[_Title], before_year: int) -> tuple[list[_Entry], Floats]:
    """Return an entry for each movie, match and episode, and their popularity. Seasons come out yearly."""
    entries: list[_Entry] = []
    weights: list[float] = []
    for rank, title in enumerate(titles, start=1):
        popularity = rank**-ZIPF_EXPONENT
        if title.type != "series":
            entries.append(title.entry(len(entries)))
            weights.append(popularity)
            continue
        seasons = min(int(rng.integers(1, 5)), before_year - title.release_year)
        per_season = int(rng.integers(6, 11))
        kept = _EPISODE_KEEP ** np.arange(seasons * per_season)
        weights += (popularity * kept / kept.sum()).tolist()
        for number in range(seasons * per_season):
            season, episode = divmod(number, per_season)
            length = title.duration + int(rng.integers(-_EPISODE_VARIES_S, _EPISODE_VARIES_S + 1))
            year = title.release_year + season
            entries.append(
                title.entry(len(entries), season=season + 1, episode=episode + 1, release_year=year, duration=length)
            )
    return entries, np.array(weights)


def _episode_order(entries: list[_Entry]) -> tuple[Ints, Ints]:
    """Return for each entry its series' first episode and the episode that follows; episodes stand in order."""
    first, following = np.full(len(entries), -1, dtype=np.int64), np.full(len(entries), -1, dtype=np.int64)
    for number, entry in enumerate(entries):
        if entry["season"] is None:
            continue
        opens = (entry["season"], entry["episode"]) == (1, 1)
        first[number] = number if opens else first[number - 1]
        if not opens:
            following[number - 1] = number
    return first, following


def _queries(entries: list[_Entry]) -> tuple[pa.StringArray, Ints]:
    """Return three searches for each entry (whole title, last word, genre), and how many entries each finds."""
    texts: list[str] = []
    for entry in entries:
        title = str(entry["title"]).lower()
        texts += [title, title.split()[-1], str(entry["genre"])]
    finds: Counter[str] = Counter()
    for start in range(0, len(texts), QUERIES_PER_TITLE):
        finds.update(set(texts[start : start + QUERIES_PER_TITLE]))
    return pa.array(texts), np.array([finds[text] for text in texts], dtype=np.int64)


def _shelves(rng: np.random.Generator, weights: Floats, genre: Ints) -> tuple[Ints, Ints]:
    """Return lists of distinct titles to recommend, and the algorithm that made each list.

    Collaborative, trending and editorial lists mix genres; a list of similar titles has one genre.
    """
    overall = cumulative(weights)
    algorithm = draw(rng, cumulative((0.42, 0.24, 0.22, 0.12)), _SHELVES)
    shelves = np.empty((_SHELVES, SHELF_SIZE), dtype=np.int64)
    for shelf in range(_SHELVES):
        pool = np.flatnonzero(genre == genre[draw(rng, overall, 1)[0]]) if algorithm[shelf] == _SIMILAR else None
        chances = overall if pool is None else cumulative(weights[pool])
        chosen: dict[int, None] = {}
        while len(chosen) < SHELF_SIZE:
            found = draw(rng, chances, 2 * SHELF_SIZE)
            chosen.update(dict.fromkeys((found if pool is None else pool[found]).tolist()))
        shelves[shelf] = list(chosen)[:SHELF_SIZE]
    return algorithm, shelves


_SIMILAR = 2
