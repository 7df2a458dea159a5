# Streamproof with Airflow, as docker-compose.yaml runs it: the lock by hash, as a user who can change none of it.
# `--target airflow` is that; `--target lake` has Spark beside it, with a lock of its own, in an environment of its own.
FROM python:3.11-slim-bookworm AS base

# What the user may write: nothing but its home's three folders, the data and Spark's scratch, all of them volumes or in memory.
RUN useradd --uid 50000 --gid 0 --no-create-home --home-dir /opt/airflow airflow \
 && install --directory --owner=50000 --group=0 --mode=0700 /opt/airflow/home /opt/airflow/logs /opt/airflow/auth /data /spark

ENV PATH=/opt/venv/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow/home \
    PYTHONPATH=/opt/streamproof \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

# Before the code, so that a change of it does not install everything anew. pip compiles bytecode.
WORKDIR /opt/streamproof
COPY requirements.txt ./
RUN python -m venv /opt/venv \
 && pip install --require-hashes --no-deps -r requirements.txt

COPY pyproject.toml README.md ./
COPY cluster cluster
COPY schemas schemas
COPY producer producer
COPY consumer consumer
COPY stack stack
COPY streamproof streamproof
COPY plugins plugins
COPY dags dags
COPY profiles profiles
COPY samples samples
RUN pip install --no-deps --no-build-isolation --editable . \
 && python -m compileall -q . \
 && chmod -R go-w /opt/streamproof /opt/venv

# Spark is neither a dependency of the rest nor small: an environment of its own, and its jars, by hash as well.
FROM base AS lake
COPY requirements-lake.txt ./
RUN python -m venv /opt/lake \
 && /opt/lake/bin/pip install --require-hashes --no-deps -r requirements-lake.txt \
 && ln -s "$(STREAMPROOF_CACHE_DIR=/opt/lake/cache python -m stack.parts.spark)" /opt/lake/java \
 && chmod -R go-w /opt/lake
ENV JAVA_HOME=/opt/lake/java \
    SPARK_HOME=/opt/lake/lib/python3.11/site-packages/pyspark \
    PYSPARK_PYTHON=/opt/lake/bin/python \
    STREAMPROOF_CACHE_DIR=/opt/lake/cache \
    STREAMPROOF_LAKE_PYTHON=/opt/lake/bin/python
USER airflow
CMD ["airflow", "version"]

# Root owns the code and the environments: a task cannot change what the next one runs.
FROM base AS airflow
USER airflow
CMD ["airflow", "version"]
