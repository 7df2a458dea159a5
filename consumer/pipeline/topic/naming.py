"""Which schema a value of any topic names: one that is known, or none, as JSON that nobody described has it."""

from __future__ import annotations

from cluster.connection import KafkaSettings
from cluster.errors import Refused
from consumer.load.naming import TopicNaming, finder
from schemas.formats import WrittenSchema
from schemas.formats.frame import HEADER_BYTES, MAGIC
from schemas.undecodable import UndecodableValue

WITHOUT_A_CONTRACT = 0  # stands for the schema of JSON that nobody described; registries number theirs from 1


def plain_schema(
    kafka: KafkaSettings, topic: str, told: WrittenSchema | None, written: str | None = None
) -> WrittenSchema | None:
    """Return the schema of a topic's values without a frame; ``None`` where nobody knows one.

    :param told: the schema, where it was told; ``written``: the format that was told.
    """
    try:
        return finder(told, written, kafka, topic, [])()
    except Refused:  # who may read a topic need not have a right to what a run of ours wrote beside it
        return None


class AnyNaming:
    """Names the schema of every value: by its frame, by what is known of the topic, or as JSON that has none.

    :ivar takes_any: whether a value may name none.
    :ivar any_without_contract: whether such a value was met.
    """

    head_bytes = HEADER_BYTES

    def __init__(self, known: TopicNaming) -> None:
        self.known = known
        self.takes_any = True
        self.any_without_contract = False

    def schema_id(self, head: bytes) -> int:
        """Return the schema that a value names.

        :raises UndecodableValue: in phase ``frame``.
        """
        try:
            return self.known.schema_id(head)
        except UndecodableValue:
            if not self.takes_any or not head or head[:1] == MAGIC:
                raise
            self.any_without_contract = True
            return WITHOUT_A_CONTRACT

    def schema_id_in_header(self, header: bytes) -> int:
        """Return the schema that a record names in a header.

        :raises UndecodableValue: as :meth:`TopicNaming.schema_id_in_header`.
        """
        return self.known.schema_id_in_header(header)
