# Streamproof with Airflow, as docker-compose.yaml runs it: the lock by hash, as a user who can change none of it.
FROM python:3.11-slim-bookworm

# What the user may write: nothing but its home's three folders and the data, all of them volumes or in memory.
RUN useradd --uid 50000 --gid 0 --no-create-home --home-dir /opt/airflow airflow \
 && install --directory --owner=50000 --group=0 --mode=0700 /opt/airflow/home /opt/airflow/logs /opt/airflow/auth /data

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
RUN pip install --no-deps --no-build-isolation --editable . \
 && python -m compileall -q . \
 && chmod -R go-w /opt/streamproof /opt/venv

# Root owns the code and the environment: a task cannot change what the next one runs.
USER airflow
CMD ["airflow", "version"]
