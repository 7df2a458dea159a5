"""What values of a field are right, by the class that ``tests/cases/field_names.tsv`` gives it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import math
import re
import zoneinfo
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from producer.scenarios.declared.defaults.codes import gs1_digit, luhn_digit

Column = Sequence[Any]
_DAY = 86_400.0
_LARGEST = 2**63 - 1

_RANGES: dict[str, tuple[float, float]] = {
    "age_years": (0, 120), "birth_year": (1900, 2026), "bytes": (0, _LARGEST), "count": (0, _LARGEST), "cvv": (0, 9999),
    "day_of_month": (1, 31), "day_of_week": (0, 7), "fico": (300, 850), "hour": (0, 23), "http_status": (100, 599),
    "id_number": (0, _LARGEST), "minute": (0, 59), "month": (1, 12), "offset": (0, _LARGEST), "partition": (0, 100_000),
    "passengers": (1, 50), "pixels": (1, 20_000), "port": (1, 65_535), "positive_int": (1, _LARGEST), "quantity": (1, 10_000),
    "quarter": (1, 4), "small_count": (0, 1000), "syslog_severity": (0, 7), "version_number": (0, 10**9), "week": (1, 53),
    "year": (1900, 2100),
}  # fmt: skip
_SPANS: dict[str, tuple[float, float]] = {
    "bearing_deg": (0, 360), "duration_s": (0, 366 * _DAY), "energy": (0, 20_000), "gpa": (0, 5), "heart_rate": (30, 230),
    "hrv_ms": (1, 300), "latitude": (-90, 90), "longitude": (-180, 180), "nonnegative": (0, 1e9), "oxygen_saturation": (70, 100),
    "pay_per_hour": (5, 1000), "percentage": (0, 100), "priority_10": (0, 10), "rating_5": (0, 5), "respiration_rate": (4, 60),
    "rpm": (0, 20_000), "salary_year": (1000, 10**7), "share": (0, 1), "speed_m_s": (0, 350), "temperature_c": (-60, 60),
}  # fmt: skip
_PERSON_PART = r"[^\W\d_][^\W\d_.'’ -]*([ '’.-][^\W\d_]+)*"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_FORMS: dict[str, str] = {
    "academic_year": r"\d{4}([-/]\d{2,4})?",
    "airline_code": r"[A-Z0-9]{2}[A-Z]?",
    "bic": r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?",
    "blood_type": r"(A|B|AB|O)[+-]",
    "card_expiry": r"(0?[1-9]|1[0-2])[/-]?(\d{2}|\d{4})",
    "card_masked": r"[0-9]{0,6}[*xX•-][*xX• 0-9-]*[0-9]{4}",
    "charset": r"[A-Za-z][A-Za-z0-9_.:-]{2,30}",
    "city": r"[^\W\d_][\w'’. -]{1,60}",
    "colour": r"[A-Za-z][A-Za-z ]{2,30}|#[0-9a-fA-F]{6}",
    "company_name": r"(?=.*[^\W\d_])[\w&.,'’ -]{2,80}",
    "container_number": r"[A-Z]{3}[UJZ][0-9]{7}",
    "coordinate_pair": r"\[?\(?-?\d+(\.\d+)?[,; ] ?-?\d+(\.\d+)?\)?\]?",
    "country_name": r"[^\W\d_][\w'’(),. &-]{2,60}",
    "cve": r"CVE-\d{4}-\d{4,7}",
    "digits_dashes": r"\d[\d-]{3,14}",
    "digits_text": r"\d{1,20}",
    "dotted_type": r"[A-Za-z][A-Za-z0-9_]*([._-][A-Za-z0-9_]+)*",
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "exchange_code": r"[A-Z][A-Z0-9]{1,9}",
    "family_name": _PERSON_PART,
    "given_name": _PERSON_PART,
    "file_name": r"[^/\\\n]{1,255}",
    "file_path": r"(/|[A-Za-z]:\\|\\\\|\./)\S.*",
    "flight_number": r"[A-Z0-9]{2}[A-Z]? ?\d{1,4}[A-Z]?",
    "gender": r"(?i:m|f|x|d|male|female|other|non-?binary|diverse|unknown|prefer not to say)",
    "hash_text": r"(\$[0-9a-z]+\$\S+|[0-9a-fA-F]{32,128}|[A-Za-z0-9+/]{24,}={0,2})",
    "hex_address": r"0x[0-9a-fA-F]{40}",
    "hex_colour": r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?",
    "hex_hash": r"(0x)?[0-9a-fA-F]{32,128}",
    "hex_id": r"([0-9a-fA-F]{8}|[0-9a-fA-F]{12}|[0-9a-fA-F]{16}|[0-9a-fA-F]{32}|[0-9a-fA-F]{64})",
    "host_name": rf"({_LABEL})(\.{_LABEL})*",
    "house_number": r"\d{1,5} ?[A-Za-z]?([-/]\d{1,4})?",
    "http_method": r"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|TRACE|CONNECT)",
    "http_status_text": r"[1-5][0-9]{2}",
    "iata": r"[A-Z]{3}",
    "icd10": r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?",
    "id_text": r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9._:/#-]{0,63}",
    "imei": r"[0-9]{15}",
    "imsi": r"[0-9]{14,15}",
    "incoterm": r"(EXW|FCA|CPT|CIP|DAP|DPU|DDP|FAS|FOB|CFR|CIF|DAT)",
    "initial": r"[A-Z]\.?",
    "isin": r"[A-Z]{2}[A-Z0-9]{9}[0-9]",
    "isrc": r"[A-Z]{2}-?[A-Z0-9]{3}-?\d{2}-?\d{5}",
    "job_title": r"(?=.*[^\W\d_])[^\n\d]{3,80}",
    "kebab_name": r"[a-z0-9]+(-[a-z0-9]+)*",
    "letter_grade": r"(A|B|C|D|E|F)[+-]?|(Pass|Fail)",
    "license_plate": r"(?=.*\d)[A-Z0-9][A-Z0-9 -]{2,11}",
    "locale": r"[a-z]{2,3}([_-][A-Z][a-z]{3})?([_-]([A-Z]{2}|\d{3}))?",
    "log_level": r"(?i:trace|debug|info|notice|warn|warning|error|critical|fatal)",
    "loinc": r"\d{1,5}-\d",
    "mac": r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}",
    "mcc": r"[0-9]{4}",
    "md5": r"[0-9a-fA-F]{32}",
    "metric_name": r"[A-Za-z_][A-Za-z0-9_.:/-]*",
    "mime_type": r"[a-z]+/[a-z0-9.+-]+(; ?\S+)?",
    "msisdn": r"\+?[1-9][0-9]{6,14}",
    "opaque_text": r"\S{4,512}",
    "package_name": r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+",
    "person_name": r"[^\W\d_][\w.'’-]*( [^\W\d_]?[\w.'’-]*){1,4}",
    "phone": r"(?=(.*\d){7,})\+?[0-9 ().x-]{7,30}",
    "place_name": r"(?=.*[^\W\d_])[^\n]{2,80}",
    "pnr": r"[A-Z0-9]{5,8}",
    "postcode": r"(?=.*\d)[A-Z0-9][A-Z0-9 -]{1,9}",
    "product_name": r"(?=.*[^\W\d_])[^\n]{2,120}",
    "region": r"(?!(new|active|done|open|closed|pending)$)([A-Z]{2}-[A-Z0-9]{1,3}|[A-Z]{2,3}|[^\W\d_][\w'’. -]{2,60})",
    "request_line": r"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S+( HTTP/[\d.]+)?",
    "resolution": r"(\d{3,5}x\d{3,5}|\d{3,4}[pi]|[248]K|SD|HD|FHD|UHD)",
    "seat": r"\d{1,3}[A-Z]",
    "semver": r"\d+\.\d+\.\d+([-+.][0-9A-Za-z.+-]+)?",
    "sentence": r"(?=(.*\s\S){2,})[\s\S]{8,4000}",
    "service_name": r"[A-Za-z][A-Za-z0-9]*([._/-][A-Za-z0-9]+)*",
    "sha256": r"[0-9a-fA-F]{64}",
    "short_code": r"[A-Z0-9][A-Za-z0-9+._-]{0,15}",
    "short_text": r"(?=.*\S)[^\n]{1,120}",
    "sku": r"(?=.*[A-Z0-9])[A-Za-z0-9][A-Za-z0-9._/-]{2,31}",
    "sql_name": r"[A-Za-z_][A-Za-z0-9_$]{0,62}",
    "sql_text": r"\s*(?i:select|insert|update|delete|create|alter|drop|truncate|begin|commit|merge|replace)\b.*",
    "ssn": r"\d{3}-?\d{2}-?\d{4}",
    "street_address": r"(?=.*\d)(?=.*[^\W\d_]).{4,120}",
    "table_name": r"[A-Za-z_][A-Za-z0-9_$]*([./][A-Za-z_][A-Za-z0-9_$]*){0,5}",
    "ticker": r"[A-Z][A-Z0-9]{0,5}([.-][A-Z]{1,2})?",
    "topic_name": r"[A-Za-z0-9._-]{1,249}",
    "traceparent": r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]",
    "unit_symbol": r"[A-Za-z%°µ/][A-Za-z0-9%°µ/^ .*²³-]{0,15}",
    "url": r"[a-z][a-z0-9+.-]*://[^\s]+",
    "url_path": r"/\S*",
    "user_agent": r"[A-Za-z][\w.-]*/[\d.]+.*",
    "user_name": r"[A-Za-z0-9][A-Za-z0-9._-]{1,39}",
    "uuid": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "version_text": r"[vV]?\d+(\.\d+)*([-+._ ]?[0-9A-Za-z][0-9A-Za-z.+_-]*)?",
    "vin": r"[A-HJ-NPR-Z0-9]{17}",
}
_ALPHA2 = frozenset(
    [
        "AD",
        "AE",
        "AF",
        "AG",
        "AI",
        "AL",
        "AM",
        "AO",
        "AQ",
        "AR",
        "AS",
        "AT",
        "AU",
        "AW",
        "AX",
        "AZ",
        "BA",
        "BB",
        "BD",
        "BE",
        "BF",
        "BG",
        "BH",
        "BI",
        "BJ",
        "BL",
        "BM",
        "BN",
        "BO",
        "BQ",
        "BR",
        "BS",
        "BT",
        "BV",
        "BW",
        "BY",
        "BZ",
        "CA",
        "CC",
        "CD",
        "CF",
        "CG",
        "CH",
        "CI",
        "CK",
        "CL",
        "CM",
        "CN",
        "CO",
        "CR",
        "CU",
        "CV",
        "CW",
        "CX",
        "CY",
        "CZ",
        "DE",
        "DJ",
        "DK",
        "DM",
        "DO",
        "DZ",
        "EC",
        "EE",
        "EG",
        "EH",
        "ER",
        "ES",
        "ET",
        "FI",
        "FJ",
        "FK",
        "FM",
        "FO",
        "FR",
        "GA",
        "GB",
        "GD",
        "GE",
        "GF",
        "GG",
        "GH",
        "GI",
        "GL",
        "GM",
        "GN",
        "GP",
        "GQ",
        "GR",
        "GS",
        "GT",
        "GU",
        "GW",
        "GY",
        "HK",
        "HM",
        "HN",
        "HR",
        "HT",
        "HU",
        "ID",
        "IE",
        "IL",
        "IM",
        "IN",
        "IO",
        "IQ",
        "IR",
        "IS",
        "IT",
        "JE",
        "JM",
        "JO",
        "JP",
        "KE",
        "KG",
        "KH",
        "KI",
        "KM",
        "KN",
        "KP",
        "KR",
        "KW",
        "KY",
        "KZ",
        "LA",
        "LB",
        "LC",
        "LI",
        "LK",
        "LR",
        "LS",
        "LT",
        "LU",
        "LV",
        "LY",
        "MA",
        "MC",
        "MD",
        "ME",
        "MF",
        "MG",
        "MH",
        "MK",
        "ML",
        "MM",
        "MN",
        "MO",
        "MP",
        "MQ",
        "MR",
        "MS",
        "MT",
        "MU",
        "MV",
        "MW",
        "MX",
        "MY",
        "MZ",
        "NA",
        "NC",
        "NE",
        "NF",
        "NG",
        "NI",
        "NL",
        "NO",
        "NP",
        "NR",
        "NU",
        "NZ",
        "OM",
        "PA",
        "PE",
        "PF",
        "PG",
        "PH",
        "PK",
        "PL",
        "PM",
        "PN",
        "PR",
        "PS",
        "PT",
        "PW",
        "PY",
        "QA",
        "RE",
        "RO",
        "RS",
        "RU",
        "RW",
        "SA",
        "SB",
        "SC",
        "SD",
        "SE",
        "SG",
        "SH",
        "SI",
        "SJ",
        "SK",
        "SL",
        "SM",
        "SN",
        "SO",
        "SR",
        "SS",
        "ST",
        "SV",
        "SX",
        "SY",
        "SZ",
        "TC",
        "TD",
        "TF",
        "TG",
        "TH",
        "TJ",
        "TK",
        "TL",
        "TM",
        "TN",
        "TO",
        "TR",
        "TT",
        "TV",
        "TW",
        "TZ",
        "UA",
        "UG",
        "UM",
        "US",
        "UY",
        "UZ",
        "VA",
        "VC",
        "VE",
        "VG",
        "VI",
        "VN",
        "VU",
        "WF",
        "WS",
        "YE",
        "YT",
        "ZA",
        "ZM",
        "ZW",
    ]
)
_STATES = frozenset(["AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "DC", "PR"])  # fmt: skip
_CURRENCIES = frozenset(
    [
        "EUR",
        "USD",
        "GBP",
        "CHF",
        "JPY",
        "SEK",
        "NOK",
        "DKK",
        "PLN",
        "CZK",
        "HUF",
        "CAD",
        "AUD",
        "NZD",
        "CNY",
        "INR",
        "BRL",
        "MXN",
        "ZAR",
        "KRW",
        "SGD",
        "HKD",
        "TRY",
    ]
)
_ALPHA3 = frozenset(
    [
        "USA",
        "AUT",
        "DEU",
        "FRA",
        "GBR",
        "ITA",
        "ESP",
        "NLD",
        "BEL",
        "CHE",
        "SWE",
        "NOR",
        "FIN",
        "POL",
        "CZE",
        "PRT",
        "CAN",
        "JPN",
        "AUS",
        "BRA",
        "IND",
        "KOR",
        "ZAF",
        "MEX",
    ]
)


def is_right(said: str, role: str, values: Column, now: dt.datetime) -> bool:
    """Tell whether a column of a thousand values, without its nulls, is of a class (or one of several, with ``|``)."""
    if not values or not _plays(role, values):
        return False
    if (
        all(isinstance(one, int | float | Decimal) and not isinstance(one, bool) for one in values)
        and len(set(values)) < 2
    ):
        return False
    return any(_is_of(one, values, now) for one in re.split(r"\|(?![^{]*\})", said))


def _plays(role: str, values: Column) -> bool:
    distinct = len(set(values))
    return {"key": distinct == len(values), "ref": 2 <= distinct < len(values)}.get(role, True)


def _is_of(said: str, values: Column, now: dt.datetime) -> bool:
    if match := re.fullmatch(r"(number|integer)([\[(])(.*),(.*)\]", said):
        low, high = float(match[3]), float(match[4])
        whole = match[1] == "integer"
        return all(_within(one, low, high, whole) and (match[2] == "[" or one > low) for one in values)
    if match := re.fullmatch(r"one_of\{(.*)\}", said):
        return set(map(str, values)) <= set(match[1].split(",")) and len(set(values)) > 1
    if ":" in said:
        unit, window = said.split(":")
        return all(_in_window(_moment(unit, one), window, now) for one in values)
    if said in _RANGES:
        return all(_within(one, *_RANGES[said], whole=True) for one in values)
    if said in _SPANS:
        return all(_within(one, *_SPANS[said], whole=False) for one in values)
    if said in _FORMS:
        form = re.compile(_FORMS[said], re.DOTALL if said in ("sentence", "sql_text") else 0)
        return all(isinstance(one, str) and form.fullmatch(one) for one in values)
    return _OTHERS[said](values) if said != "birth_date" else all(_is_birth(one, now) for one in values)


def _within(value: Any, low: float, high: float, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        return False
    return low <= value <= high and (not whole or value == int(value))


def _moment(unit: str, value: Any) -> dt.datetime | None:
    """Return the moment that a value says in a unit, ``None`` if it says none."""
    try:
        return _read_moment(unit, value)
    except (ValueError, TypeError, OverflowError):
        return None


def _read_moment(unit: str, value: Any) -> dt.datetime:
    per_second = {"epoch_s": 1, "epoch_ms": 1000, "epoch_us": 10**6, "epoch_ns": 10**9}
    if unit in per_second:
        if isinstance(value, float) and unit != "epoch_s":
            raise ValueError("not whole")
        return dt.datetime.fromtimestamp(value / per_second[unit], dt.UTC)
    if unit in ("jd", "mjd"):
        return dt.datetime.fromtimestamp((value - {"jd": 2_440_587.5, "mjd": 40_587}[unit]) * _DAY, dt.UTC)
    if unit == "date_compact":
        return dt.datetime.strptime(str(value), "%Y%m%d").replace(tzinfo=dt.UTC)
    if unit == "timestamp" and isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    if unit == "date" and type(value) is dt.date:
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    if not isinstance(value, str):
        raise ValueError("no text")
    forms = {
        "iso_date": r"\d{4}-\d\d-\d\d",
        "iso_datetime": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?",
    }
    if not re.fullmatch(forms[unit], value):
        raise ValueError("another form")
    read = dt.datetime.fromisoformat(value)
    return read if read.tzinfo else read.replace(tzinfo=dt.UTC)


def _in_window(moment: dt.datetime | None, window: str, now: dt.datetime) -> bool:
    if moment is None:
        return False
    if window == "any":
        return 1990 <= moment.year <= 2100
    before, after = {"now": (400, 1), "past": (60 * 366, 1), "soon": (1, 20 * 366)}[window]
    return now - dt.timedelta(days=before) <= moment <= now + dt.timedelta(days=after)


def _is_birth(value: Any, now: dt.datetime) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        value = dt.date(1970, 1, 1) + dt.timedelta(days=value)
    moment = _moment("date" if isinstance(value, dt.date) else "iso_date", value)
    return moment is not None and now.year - 120 <= moment.year and moment <= now


def _is_money(values: Column, low: float) -> bool:
    def fits(one: Any) -> bool:
        return _within(one, low, 1e9, whole=False) and (
            isinstance(one, Decimal) or abs(one * 100 - round(one * 100)) < 1e-6
        )

    return all(map(fits, values)) and len(set(values)) > 1


def _is_ip(value: Any, kind: Callable[[str], object] = ipaddress.ip_address) -> bool:
    try:
        return isinstance(value, str) and kind(value) is not None
    except ValueError:
        return False


def _is_json(value: Any) -> bool:
    try:
        return isinstance(value, str) and json.loads(value) is not ...
    except ValueError:
        return False


def _is_iban(value: str) -> bool:
    text = value.replace(" ", "")
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", text):
        return False
    return int("".join(str(int(one, 36)) for one in text[4:] + text[:4])) % 97 == 1


def _is_ean(value: str) -> bool:
    return bool(re.fullmatch(r"\d{8}|\d{12,14}", value)) and gs1_digit(value[:-1]) == value[-1]


def _is_card(value: Any) -> bool:
    digits = str(value)
    return bool(re.fullmatch(r"\d{12,19}", digits)) and luhn_digit(digits[:-1]) == digits[-1]


def _words(values: Column, form: str, most: int) -> bool:
    return all(isinstance(one, str) and re.fullmatch(form, one) for one in values) and 2 <= len(set(values)) <= most


def _numbers(values: Column, low: float, high: float, step: int = 0) -> bool:
    return all(_within(one, low, high, whole=bool(step)) and (not step or one % step == 0) for one in values)


_OTHERS: dict[str, Callable[[Column], bool]] = {
    "boolean": lambda values: set(values) == {True, False} and all(isinstance(one, bool) for one in values),
    "bytes_value": lambda values: all(isinstance(one, bytes) for one in values),
    "card_number": lambda values: all(map(_is_card, values)),
    "country_code": lambda values: set(values) <= _ALPHA2,
    "country_code3": lambda values: set(values) <= _ALPHA3,
    "currency": lambda values: set(values) <= _CURRENCIES,
    "department_name": lambda values: _words(values, r"[A-Za-z][A-Za-z &/-]{1,40}", 60),
    "duration_ms": lambda values: _numbers(values, 0, 31_622_400_000) and all(one == int(one) for one in values if isinstance(one, int)),
    "ean": lambda values: all(map(_is_ean, values)),
    "enum_word": lambda values: _words(values, r"[A-Za-z0-9][A-Za-z0-9 _.+/&-]{0,39}", 40),
    "finite": lambda values: _numbers(values, -1e308, 1e308),
    "iban": lambda values: all(map(_is_iban, values)),
    "ip": lambda values: all(map(_is_ip, values)),
    "ipv6": lambda values: all(_is_ip(one, ipaddress.IPv6Address) for one in values),
    "json_text": lambda values: all(map(_is_json, values)),
    "money": lambda values: _is_money(values, 0),
    "money_signed": lambda values: _is_money(values, -1e9),
    "positive": lambda values: all(_within(one, 0, 1e9, whole=False) and one > 0 for one in values),
    "time_zone": lambda values: set(values) <= zoneinfo.available_timezones(),
    "us_state": lambda values: set(values) <= _STATES,
    "utc_offset_min": lambda values: _numbers(values, -840, 840, 15),
    "utc_offset_s": lambda values: _numbers(values, -50_400, 50_400, 900),
}  # fmt: skip
# Of the texts with a time in one form: ISO 8601 is what is given.
_OTHERS["datetime_text"] = lambda values: all(
    _in_window(_moment("iso_datetime", one), "now", dt.datetime.now(dt.UTC)) for one in values
)
