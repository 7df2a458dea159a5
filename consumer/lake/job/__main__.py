"""``python -m consumer.lake.job``: reads a request from standard input, or from a file with ``--request FILE``.

With a request from standard input, the job ends at once, with all that it started, when that is closed: whoever
started it is gone. What a killed job leaves is swept by the next one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.errors import EXIT_BUG, Misconfigured, StreamproofError
from consumer.lake.job.delta import CONF as DELTA_CONF
from consumer.lake.job.request import JobRequest, Voice
from consumer.lake.job.session import error_of, open_session, reach_master
from consumer.lake.job.topic import TopicJob
from consumer.lake.lock import lake_locked
from consumer.load.readers import source_of_schemas

if TYPE_CHECKING:
    from pyspark.sql.streaming import StreamingQuery

_LOOK_S = 0.25
# The JVM fetches and hands over, the workers decode: it starts with a third less of a processor by its quick compiler
# alone, and without code made for plans that are one line long.
_QUICK = "-XX:TieredStopAtLevel=1"
_PLAIN_PLANS = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}


def main() -> int:
    """Run the job, and return its exit code. Everything but what it says goes to standard error."""
    return run_with_voice(run)


def run_with_voice(work: Callable[[str, Voice], None]) -> int:
    """Give work its request and its voice; what it raises is said, and becomes the exit code."""
    voice = Voice(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)  # what Spark prints is no line of ours
    try:
        work(_request_text(), voice)
    except StreamproofError as error:
        voice.fail(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the outermost frame: whatever it is, whoever listens is told
        import traceback

        traceback.print_exc()
        if not _is_sparks(error):
            voice.fail(StreamproofError(f"a bug: {type(error).__name__} inside the job", hint="The log has the trace"))
            return EXIT_BUG
        known = error_of(str(error))
        voice.fail(known)
        return known.exit_code
    return 0


def run(text: str, voice: Voice) -> None:
    """Take the topics of a request into the lake."""
    request = JobRequest.read(text)
    connection = request.connection()
    with _locked(request), source_of_schemas(connection, needed=request.plain is None) as registry:
        reach_master(request.master)
        jobs = [TopicJob(request, topic, connection, registry, voice) for topic in request.topics]
        if not request.follow and not any(job.is_behind for job in jobs):
            voice.say("done")  # nothing to take: Spark need not start
            return
        work = Path(request.folder) / ".work"
        work.mkdir(exist_ok=True)
        conf = _PLAIN_PLANS | (DELTA_CONF if request.table_format == "delta" else {}) | request.conf
        options = f"{_QUICK} {_java_options(request)}".strip()
        spark = open_session(request.master, request.memory, request.jars, conf, work=work, java_options=options)
        voice.say("ready")
        queries = [(job, job.start(spark)) for job in jobs]
        _watch(queries, request, voice)
    voice.say("done")


def _watch(queries: list[tuple[TopicJob, StreamingQuery]], request: JobRequest, voice: Voice) -> None:
    """Wait until all queries have ended, or their time is over; the first error ends all."""
    ends_at = None if request.for_s is None else time.monotonic() + request.for_s
    while any(query.isActive for _, query in queries):
        for job, query in queries:
            _raise(job, query)
        if ends_at is not None and time.monotonic() >= ends_at:
            for job, query in queries:
                with job.busy:  # never in the middle of a batch
                    query.stop()
            break
        time.sleep(_LOOK_S)
        if request.follow:
            for job, query in queries:
                _tell_lag(job, query, voice)
    for job, query in queries:
        _raise(job, query)


def _raise(job: TopicJob, query: StreamingQuery) -> None:
    error = job.error
    if error is not None:
        raise error
    failed = None if query.isActive else query.exception()
    if failed is not None:
        raise failed


def _tell_lag(job: TopicJob, query: StreamingQuery, voice: Voice) -> None:
    """Say how far a followed topic is behind, as Spark last saw it."""
    with contextlib.suppress(Exception):  # it is a figure for the eye, and Spark's words for it may change
        progress = query.lastProgress
        if progress is not None:
            lag = progress.sources[0].metrics.get("maxOffsetsBehindLatest")
            if lag is not None:
                voice.say("lag", topic=job.topic, behind=int(float(lag)))


@contextmanager
def _locked(request: JobRequest) -> Iterator[None]:
    if request.locked:
        yield
        return
    with lake_locked(Path(request.folder)):
        yield


def _java_options(request: JobRequest) -> str:
    """Return what Java's client wants to be told as a property: which endpoint may be asked for tokens."""
    endpoint = request.java.get("sasl.oauthbearer.token.endpoint.url")
    return "" if endpoint is None else f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={endpoint}"


def _is_sparks(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in {"pyspark", "py4j"}


def _request_text() -> str:
    if sys.argv[1:2] == ["--request"]:
        try:
            return Path(sys.argv[2]).read_text()
        except (IndexError, OSError) as error:
            raise Misconfigured(f"the request cannot be read: {error}") from None
    text = sys.stdin.readline()
    threading.Thread(target=_end_with_starter, daemon=True, name="starter").start()
    return text


def _end_with_starter() -> None:
    """End the process group when standard input is closed: nobody is there to hear."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Spark's threads and its JVM are not waited for: nothing of the lake depends on how they end.
    os._exit(code)
