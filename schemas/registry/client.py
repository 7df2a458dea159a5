"""A client of the Schema Registry, with a deadline on every call and every failure in our tree."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

from cluster.connection import RegistrySettings
from cluster.errors import Misconfigured, RegistryUnreachable, SchemaIncompatible
from schemas.formats import AVRO_NAME, FRAMED, WrittenSchema, of_schema_type, value_format
from schemas.formats.headers import UnknownGuid
from schemas.manifest import SchemaUsed
from schemas.registry.http import Answer, RegistryHttp
from schemas.registry.normal import normal_text
from schemas.registry.referred import referred_schemas
from schemas.types import schema_text
from schemas.types.references import self_contained
from schemas.undecodable import UnsupportedSchema

__all__ = ["Registered", "Registry", "UnknownSchema"]

NEGATIVE_S = 60.0  # how long an unknown id stays unknown without asking again


UNKNOWN_SCHEMA = "unknown_schema"
_EIGHT_BYTES = "Apicurio's Legacy8ByteIdHandler writes ids of 8 bytes, which look so: set Default4ByteIdHandler"
AVRO_TYPE = "AVRO"  # what a registry that names no kind means


class UnknownSchema(UnsupportedSchema):
    """The registry answered, and knows no schema with this id: the value is at fault, not the registry."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=UNKNOWN_SCHEMA)


def unknown_in_words(schema_id: int) -> str:
    """Return what is said of a schema id that the registry does not know."""
    what = f"the registry knows no schema with id {schema_id}"
    return what if schema_id else f"{what}, which none gives. {_EIGHT_BYTES}"


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a subject, as the registry holds it."""

    subject: str
    version: int
    id: int
    text: str = field(repr=False)
    kind: str = AVRO_TYPE
    retold: bool = False  # the text is not the registry's own: comments are out, types of other subjects in

    @property
    def used(self) -> SchemaUsed:
        """Return what a manifest records of it."""
        return SchemaUsed(subject=self.subject, version=self.version, id=self.id)


class Registry:
    """A client of one registry. Not for several threads at once.

    Any method raises:

    * :class:`RegistryUnreachable` (69): no answer within the deadline, or 5xx, after one more attempt
    * :class:`Refused` (77): 401, 403 or TLS; never repeated
    * :class:`Misconfigured` (78): the address does not speak the API, or the registry rejects the request as invalid
    """

    def __init__(self, settings: RegistrySettings) -> None:
        self.column_conflicts = settings.column_conflicts  # what the gate does about them unless told otherwise
        self.url = settings.shown  # for errors; a secret may stand in the address itself
        self._http = RegistryHttp(settings)
        self._schemas: dict[int, WrittenSchema] = {}
        self._unknown: dict[int, tuple[float, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def schema_text(self, schema_id: int) -> str:
        """Return the contract of a schema id, see :meth:`schema`."""
        return self.schema(schema_id).text

    def schema(self, schema_id: int) -> WrittenSchema:
        """Return the contract of a schema id, and the format of its values; cached for the life of the client.

        :raises UnknownSchema: the registry knows no such id; asked again after a minute at the earliest.
        The contract holds the types of the schemas that it refers to.

        :raises UnsupportedSchema: it is Protobuf, a JSON Schema without a contract, or refers to what is not there.
        """
        if schema_id in self._schemas:
            return self._schemas[schema_id]
        asked_at, message = self._unknown.get(schema_id, (-NEGATIVE_S, ""))
        if time.monotonic() - asked_at < NEGATIVE_S:
            raise UnknownSchema(message)
        try:
            answer = self._http.ask("GET", f"/schemas/ids/{schema_id}", doing=f"reading schema {schema_id}")
        except Answer as missing:
            if missing.status != 404:
                raise _unexpected(missing, f"reading schema {schema_id}") from None
            message = unknown_in_words(schema_id)
            self._unknown[schema_id] = (time.monotonic(), message)
            raise UnknownSchema(message) from None
        kind = answer.get("schemaType") or AVRO_TYPE
        written = of_schema_type(kind)
        if written is None:
            raise UnsupportedSchema(f"schema {schema_id} is {kind}: none of {', '.join(FRAMED)}")
        try:
            found = WrittenSchema(written.contract(self._whole_text(answer)), written.name)
        except UnsupportedSchema as error:
            raise UnsupportedSchema(f"schema {schema_id} is {error.message}") from None
        self._schemas[schema_id] = found
        return found

    def id_of(self, guid: UUID) -> int:
        """Return the id of the schema with a GUID, in the registry's own context where several have it.

        :raises UnknownGuid: it knows none, or does not tell: Apicurio Registry 3.3 answers no question about GUIDs.
        """
        doing = f"asking for the schema with GUID {guid}"
        try:
            answer = self._http.ask("GET", f"/schemas/guids/{guid}/ids", doing=doing)
            own = [int(one["id"]) for one in sorted(answer, key=lambda one: one.get("context", ".") != ".")]
        except (Answer, Misconfigured, TypeError, KeyError, ValueError, AttributeError):
            own = []
        if not own:
            raise UnknownGuid(
                f"the registry tells no schema with GUID {guid}: Confluent's does from version 8.0 on, "
                "Apicurio Registry 3.3 does not"
            )
        return own[0]

    def named(self, schema_id: int) -> list[tuple[str, int]]:
        """Return the subjects that have a schema, each with its version; empty where the registry does not say."""
        doing = f"asking which subjects have schema {schema_id}"
        try:
            answer = self._http.ask("GET", f"/schemas/ids/{schema_id}/versions", doing=doing)
        except Answer:
            return []
        return [(str(one["subject"]), int(one["version"])) for one in answer]

    def versions(self, subject: str) -> list[Registered]:
        """Return all versions of a subject, oldest first; empty for a subject that does not exist."""
        path = f"/subjects/{_quoted(subject)}/versions"
        try:
            numbers = self._http.ask("GET", path, doing=f"listing subject {subject}")
        except Answer as missing:
            if missing.status == 404:
                return []
            raise _unexpected(missing, f"listing subject {subject}") from None
        return [found for number in numbers if (found := self._version(subject, number)) is not None]

    def latest(self, subject: str) -> Registered | None:
        """Return the newest version of a subject, or ``None``."""
        return self._version(subject, "latest")

    def lookup(self, subject: str, text: str, written: str = AVRO_NAME) -> SchemaUsed | None:
        """Return how the subject holds this contract, or ``None`` if it does not. Formatting makes no difference.

        Nor does it matter whether the subject's schema holds all types itself or refers to others.

        :param written: the format whose values are to name it.
        """
        doing = f"looking up a schema of subject {subject}"
        try:
            answer = self._http.ask("POST", f"/subjects/{_quoted(subject)}", doing=doing, body=_body(text, written))
        except Answer as missing:
            if missing.status == 404:
                return self._retold(subject, text) if written == AVRO_NAME else None
            raise _unexpected(missing, doing) from None
        return SchemaUsed(subject=subject, version=answer["version"], id=answer["id"])

    def _retold(self, subject: str, text: str) -> SchemaUsed | None:
        """Return the newest version whose text is not the registry's own, and that says the same as another text."""
        for version in reversed(self.versions(subject)):
            if version.retold and _says_the_same(version.text, text):
                return version.used
        return None

    def register(self, subject: str, text: str, written: str = AVRO_NAME) -> SchemaUsed:
        """Register a contract, as values of a format name it, or find it registered.

        :raises SchemaIncompatible: the registry refuses it under the subject's level.
        """
        doing = f"registering a schema of subject {subject}"
        try:
            answer = self._http.ask(
                "POST", f"/subjects/{_quoted(subject)}/versions", doing=doing, body=_body(text, written)
            )
        except Answer as refusal:
            if refusal.status == 409:
                raise SchemaIncompatible(
                    f"the registry refuses the schema: {refusal.said}", where=f"subject {subject}"
                ) from None
            raise _unexpected(refusal, doing) from None
        self._schemas[answer["id"]] = WrittenSchema(text, written)
        used = self.lookup(subject, text, written)
        if used is None:
            raise RegistryUnreachable(
                "the registry took the schema and does not show it", where=f"subject {subject}", hint="Try again"
            )
        return used

    def compatible(self, subject: str, text: str, written: str = AVRO_NAME) -> list[str]:
        """Ask whether the subject, at its own level, would take the schema. Return the reasons why not; empty if so."""
        doing = f"asking whether subject {subject} takes a schema"
        path = f"/compatibility/subjects/{_quoted(subject)}/versions?verbose=true"
        try:
            answer = self._http.ask("POST", path, doing=doing, body=_body(text, written))
        except Answer as refusal:
            if refusal.status == 404:
                return []  # nothing registered yet: nothing to be compatible with
            raise _unexpected(refusal, doing) from None
        if answer.get("is_compatible", False):
            return []
        return [str(reason) for reason in answer.get("messages") or ["it does not fit, and no reason is given"]]

    def compatibility(self, subject: str) -> str | None:
        """Return the subject's own level, or ``None`` if the registry's default holds for it."""
        doing = f"reading the compatibility level of subject {subject}"
        try:
            answer = self._http.ask("GET", f"/config/{_quoted(subject)}", doing=doing)
        except Answer as missing:
            if missing.status == 404:
                return None
            raise _unexpected(missing, doing) from None
        return str(answer["compatibilityLevel"])

    def default_compatibility(self) -> str | None:
        """Return the level of subjects that have none of their own."""
        doing = "reading the default compatibility level"
        try:
            answer = self._http.ask("GET", "/config", doing=doing)
        except Answer as missing:
            if missing.status == 404:
                return None
            raise _unexpected(missing, doing) from None
        return str(answer["compatibilityLevel"])

    def set_compatibility(self, subject: str, level: str) -> None:
        """Set the subject's own level."""
        doing = f"setting the compatibility level of subject {subject}"
        try:
            self._http.ask("PUT", f"/config/{_quoted(subject)}", doing=doing, body={"compatibility": level})
        except Answer as refusal:
            raise _unexpected(refusal, doing) from None

    def _version(self, subject: str, number: int | str) -> Registered | None:
        answer = self._answered(subject, number)
        if answer is None:
            return None
        try:
            text = self._whole_text(answer)
        except UnsupportedSchema:
            text = self._text(answer)  # whoever reads it says which type is missing
        kind = answer.get("schemaType") or AVRO_TYPE
        retold = text != self._text(answer)
        return Registered(subject, answer["version"], answer["id"], text, kind, retold=retold)

    def _whole_text(self, answer: dict[str, Any]) -> str:
        """Return the text of a schema without comments, with the types that it takes from schemas of other subjects.

        :raises UnsupportedSchema: one of them is not there, or it is not of Avro.
        """
        of_avro = (answer.get("schemaType") or AVRO_TYPE) == AVRO_TYPE
        if not answer.get("references"):
            return schema_text.plain(self._text(answer)) if of_avro else self._text(answer)
        if not of_avro:
            raise UnsupportedSchema("a JSON Schema that refers to others")
        referred = referred_schemas(answer, self._answered)
        return self_contained(self._text(answer), map(self._text, referred))

    def _answered(self, subject: str, number: int | str) -> dict[str, Any] | None:
        """Return what the registry says of one version, ``None`` where it has none."""
        doing = f"reading version {number} of subject {subject}"
        try:
            answer: dict[str, Any] = self._http.ask(
                "GET", f"/subjects/{_quoted(subject)}/versions/{number}", doing=doing
            )
        except Answer as missing:
            if missing.status == 404:
                return None
            raise _unexpected(missing, doing) from None
        return answer

    def _text(self, answer: dict[str, Any]) -> str:
        text = answer.get("schema")
        if not isinstance(text, str):
            raise self._http.not_a_registry()
        return text


def _unexpected(answer: Answer, doing: str) -> Misconfigured:
    return Misconfigured(
        f"the registry rejects the request while {doing}: {answer.said} (HTTP {answer.status}, code {answer.code})"
    )


def _says_the_same(one: str, other: str) -> bool:
    try:
        return normal_text(json.loads(one)) == normal_text(json.loads(other))
    except (ValueError, UnsupportedSchema):
        return False


def _body(contract: str, written: str) -> dict[str, Any]:
    """Return what a registry is asked with: a schema, and its kind unless that is what registries take for granted."""
    format_ = value_format(written)
    body = {"schema": format_.registered(contract)}
    return body if format_.schema_type == AVRO_TYPE else body | {"schemaType": format_.schema_type}


def _quoted(subject: str) -> str:
    return quote(subject, safe="")
