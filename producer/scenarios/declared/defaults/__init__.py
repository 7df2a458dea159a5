"""What a field's values are when the file does not say: by what the schema says, by type, by name and by the record.

``of_schema.py`` is the way from a schema to its rules; open it first. ``together.py`` says what fields of one record have
to do with each other. ``field.py`` is a field with what is around it, ``words.py`` takes names apart. What values a name
stands for is found by ``text.py``, ``numbers.py``, ``times.py`` and ``ids.py``, for texts and numbers in
``tables/texts.txt`` and ``tables/numbers.txt``; ``codes.py``, ``ranges.py``, ``lists.py`` and ``places.py`` have the
values. ``properties.py`` reads what schemas say themselves.
"""

from producer.scenarios.declared.defaults.of_schema import Defaults, defaults_of

__all__ = ["Defaults", "defaults_of"]
