"""What our SQL may say of its own names, so that no field of a topic is taken for one."""

from __future__ import annotations

import re

from tests.kit.words_of_sql import texts_of_sql

_LAMBDA = re.compile(r'lambda\s+("[^"]+"|\w+)\s*:')


def test_the_parameter_of_a_lambda_has_no_point_behind_it() -> None:
    """DuckDB takes ``x.name`` for the member of a column x where there is one; ``struct_extract`` cannot."""
    found = [
        f"{path}: {name}."
        for path, text in texts_of_sql()
        for name in _LAMBDA.findall(text)
        if re.search(rf"(?<![\w.\"]){re.escape(name)}\s*\.\s*[\w\"]", text, re.IGNORECASE)
    ]
    assert found == []
