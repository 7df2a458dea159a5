"""Write ``.env`` with the secrets of docker-compose.yaml: ``python3 docker/make_env.py``.

Needs nothing but Python. An ``.env`` that exists is left alone: other secrets would lock Airflow out of its database.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

ENV_FILE = Path(__file__).resolve().parents[1] / ".env"


def make_secrets() -> dict[str, str]:
    """Return every variable that docker-compose.yaml insists on."""
    return {
        "POSTGRES_PASSWORD": secrets.token_hex(16),
        "WAREHOUSES_PASSWORD": secrets.token_hex(16),
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW_JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW_SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW_ADMIN_PASSWORD": secrets.token_urlsafe(16),
    }


def main() -> int:
    """Write the file, readable by its owner only, and name the password that a person needs."""
    try:
        descriptor = os.open(ENV_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stderr.write(f"{ENV_FILE} exists already and is left as it is\n")
        return 1
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in make_secrets().items())
    sys.stdout.write(f"{ENV_FILE} written; user admin, password: AIRFLOW_ADMIN_PASSWORD in it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
